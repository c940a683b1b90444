"""Readers in a process of their own: values come back, and nothing that happens there reaches this process."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facetalk.core.errors import FacetalkError
from facetalk.io import sandbox
from facetalk.io.sandbox import Limits, run_confined


def give_back(path: Path, *arguments: Any) -> Any:
    return {
        "path": path.name,
        "arguments": arguments,
        "arrays": [np.arange(6, dtype=">i2").reshape(2, 3), np.zeros((0, 4)), np.array(["ä", "bc"]), np.array(True)],
        "by_column": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "values": [None, True, 3, 2.5, float("nan"), "\ud800 \x1b", b"\x00\xff", np.float32(1.5)],
        "imported": [name for name in ("torch", "facetalk.core.motion", "scipy") if name in sys.modules],
        "folder": str(Path.cwd()),
    }


def fill_memory(path: Path) -> Any:
    return [bytearray(1 << 20) for _ in range(4096)]


def hang(path: Path) -> Any:
    while True:
        pass


def sleep(path: Path) -> Any:
    time.sleep(1000)


def crash(path: Path) -> Any:
    ctypes.string_at(0)


def complain(path: Path) -> Any:
    raise FacetalkError(f"{path.name} is wrong")


def stumble(path: Path) -> Any:
    raise KeyError("two\nlines")


def exit_early(path: Path) -> Any:
    os._exit(7)


def give_object(path: Path) -> Any:
    return {"a": object()}


def test_values_come_back_as_they_were(tmp_path: Path) -> None:
    back = run_confined(give_back, tmp_path / "ä b\udce9.pkl", 1, "x")
    assert back["path"] == "ä b\udce9.pkl" and back["arguments"] == [1, "x"]
    numbers, empty, texts, switch = back["arrays"]
    np.testing.assert_array_equal(numbers, np.arange(6).reshape(2, 3))
    assert numbers.dtype == ">i2" and empty.shape == (0, 4) and texts.tolist() == ["ä", "bc"] and switch.shape == ()
    np.testing.assert_array_equal(back["by_column"], np.arange(6.0).reshape(2, 3))
    none, yes, integer, number, nan, text, raw, scalar = back["values"]
    assert none is None and yes is True and integer == 3 and number == 2.5 and nan != nan
    assert text == "\ud800 \x1b" and raw == b"\x00\xff" and scalar == 1.5 and scalar.dtype == np.float32


def test_the_process_loads_only_what_its_reader_needs() -> None:
    start = time.perf_counter()
    assert run_confined(give_back, Path("x"))["imported"] == []
    assert time.perf_counter() - start < 5  # 0.2 s on an idle machine


@pytest.mark.parametrize(
    ("reader", "limits", "reason"),
    [
        (fill_memory, Limits(memory_bytes=256 << 20), "takes more memory than a file of its kind"),
        (hang, Limits(processor_s=1), "takes too much time or memory"),
        (sleep, Limits(wall_s=2), "takes more than 2 s"),
        (crash, Limits(), "too deep"),
        (complain, Limits(), "^bomb.pkl is wrong$"),
        (stumble, Limits(), "its structure is not that of such a file"),
        (exit_early, Limits(), "ended early"),
        (give_object, Limits(), "object in place of an array"),
    ],
)
def test_whatever_happens_there_is_one_line_here(tmp_path: Path, reader: Any, limits: Limits, reason: str) -> None:
    with pytest.raises(FacetalkError, match=reason) as caught:
        run_confined(reader, tmp_path / "bomb.pkl", limits=limits)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_it_works_from_threads_and_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "/nowhere")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda number: run_confined(give_back, Path(str(number)), number), range(4)))
    assert [result["arguments"] for result in results] == [[0], [1], [2], [3]]


def test_modules_in_the_current_folder_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('taken over')")
    (tmp_path / "json.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert run_confined(give_back, Path("x"))["folder"] == str(tmp_path)


def test_an_answer_that_was_forged_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0{}", b"\x0f\0\0\0\0\0\0\0" + b'{"value": {"a":'):
        (tmp_path / "answer").write_bytes(content)
        with (tmp_path / "answer").open("rb") as stream:
            assert sandbox._receive(stream) is None
