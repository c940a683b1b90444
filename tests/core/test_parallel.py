from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facetalk.core import parallel
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.parallel import each_in_parallel
from facetalk.io.files import replacing

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_comes_back_with_its_result(jobs: int) -> None:
    assert sorted(each_in_parallel(len, ["a", "bcd"], jobs)) == [("a", 1), ("bcd", 3)]  # type: ignore[type-var]


def test_nothing_to_do_is_done_at_once() -> None:
    assert list(each_in_parallel(len, [], None)) == []


def stumble(item: str) -> str:
    if item == "usage":
        raise UsageError("no such thing")
    if item == "gone":
        raise FileNotFoundError(2, "No such file or directory", "a.wav")
    if item == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if item.startswith("/"):
        write_and_die_once(Path(item))
    return item


def write_and_die_once(path: Path) -> None:
    """Write a file; the first process that tries is killed while it is at it."""
    was_here = path.with_suffix(".pid")
    with replacing(path) as temporary, replacing(path.with_suffix(".b")) as other:
        temporary.touch()
        other.mkdir()
        if not was_here.exists():
            was_here.touch()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_item_that_fails_costs_only_itself(
    tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(parallel, "MOST_RETRIES", 1)
    again = str(tmp_path / "killed once")
    items = ["usage", "gone", "fine"] + (["killed", again, "fine too"] if jobs > 1 else [])
    results = dict(each_in_parallel(stumble, items, jobs))
    usage, gone = results["usage"], results["gone"]
    assert isinstance(usage, FacetalkError) and (str(usage), usage.exit_code) == ("no such thing", 2)
    assert isinstance(gone, FacetalkError) and str(gone) == "a.wav: No such file or directory"
    assert results["fine"] == "fine"
    if jobs > 1:
        assert results["fine too"] == "fine too" and results[again] == again
        assert "ended by SIGKILL (memory may have run out: try fewer --jobs), 2 times" in str(results["killed"])
        assert sorted(path.name for path in tmp_path.iterdir()) == ["killed once", "killed once.b", "killed once.pid"]
        assert "it is done again" in caplog.text


def break_down(item: str) -> None:
    raise ValueError(f"a mistake with {item}")


@pytest.mark.slow
def test_a_mistake_of_the_program_ends_all() -> None:
    with pytest.raises(RuntimeError, match="ValueError: a mistake with"):
        list(each_in_parallel(break_down, ["a", "b"], 2))


PARENT = """
from facetalk.core.parallel import each_in_parallel
from tests.core.test_parallel import linger
with open({folder!r} + "/runs", "a") as file:
    file.write("once ")
list(each_in_parallel(linger, [{folder!r} + "/1", {folder!r} + "/2"], 2))
"""
"""A script as users write it; workers do not run it once more."""


def linger(path: str) -> None:
    """Note the process and stay busy, with a temporary file."""
    with replacing(Path(path)) as temporary:
        temporary.touch()
        Path(f"{path}.pid").write_text(str(os.getpid()))
        end = time.monotonic() + 60
        while time.monotonic() < end:
            sum(range(1000))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent_and_leave_nothing(tmp_path: Path, number: int) -> None:
    program = tmp_path / "program.py"
    program.write_text(PARENT.format(folder=str(tmp_path)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(program)]
    files = [tmp_path / "1.pid", tmp_path / "2.pid"]
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        _wait_for(lambda: all(file.exists() and file.read_text() for file in files), 60)
        workers = [int(file.read_text()) for file in files]
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.kill()
        process.wait(timeout=10)
        _wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 5)
        assert not list(tmp_path.glob(".*")), "temporary files"
        assert (tmp_path / "runs").read_text() == "once "
        assert process.stderr is not None and "SpawnProcess" not in process.stderr.read(), "workers have nothing to say"


def _wait_for(condition: object, timeout_s: float) -> None:
    assert callable(condition)
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)
