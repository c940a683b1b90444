"""Patterns and lists in place of files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.path_list import as_paths, listed, single


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.wav", "a.wav", "sub/c.wav", "odd[1].wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("files")
def test_patterns_stand_for_the_files_that_they_match_each_once() -> None:
    assert listed(["b.wav", "*.wav"]) == [Path(name) for name in ("b.wav", "a.wav", "odd[1].wav")]
    assert listed(["**/c.wav"]) == [Path("sub/c.wav")]
    assert listed(["odd[1].wav", "missing.wav"]) == [Path("odd[1].wav"), Path("missing.wav")]
    with pytest.raises(UsageError, match=r"no file matches '\*.mp4'"):
        listed(["*.mp4"])


@pytest.mark.usefixtures("files")
def test_folders_with_brackets_in_their_names_hold_what_matches() -> None:
    Path("dir[1]").mkdir()
    for name in ("x.wav", "y[2].wav", "list.txt"):
        Path("dir[1]", name).touch()
    assert listed(["dir[1]/*.wav"]) == [Path("dir[1]/x.wav"), Path("dir[1]/y[2].wav")]
    assert listed(["dir[1]/y[[]2].wav"]) == [Path("dir[1]/y[2].wav")]
    assert listed(["s[u]b/*"]) == [Path("sub/c.wav")]
    Path("dir[1]/list.txt").write_text("*.wav")
    assert listed(["@dir[1]/list.txt"]) == listed(["dir[1]/*.wav"])


def test_long_lists_take_linear_time_and_names_may_be_any_bytes(files: Path) -> None:
    lines = b"\n".join(b"%d-\xff.wav" % number for number in range(20_000))
    (files / "list.txt").write_bytes(lines)
    start = time.process_time()
    found = listed(["a.wav", "@list.txt", "@list.txt"])
    assert len(found) == 20_001 and os.fsencode(found[1]) == b"0-\xff.wav"
    assert time.process_time() - start < 10, "seconds"


def test_lists_have_a_path_in_each_line_relative_to_their_folder(files: Path) -> None:
    (files / "sub/list.txt").write_text("\ufeff# takes\n\nc.wav\n../a.*\r\n", "utf-8")
    assert [path.resolve() for path in listed(["@sub/list.txt"])] == [files / "sub/c.wav", files / "a.wav"]
    assert listed(["@lines.csv"]) == [Path("@lines.csv")], "a table is none"
    (files / "@kept.txt").touch()
    assert listed(["@kept.txt"]) == [Path("@kept.txt")], "a file of this name is one"


@pytest.mark.parametrize("content", [b"", b"\n#nothing\n", b"a\0b", b"x\n" * 100_001, b"@more.txt"])
def test_what_is_no_list_is_refused(files: Path, content: bytes) -> None:
    (files / "list.txt").write_bytes(content)
    with pytest.raises(UsageError, match=r"list\.txt"):
        listed(["@list.txt"])


@pytest.mark.usefixtures("files")
def test_a_missing_list_is_refused() -> None:
    with pytest.raises(FacetalkError, match=r"no such file: none\.txt"):
        listed(["@none.txt"])


@pytest.mark.parametrize("given", ["takes", "takes/*.wav", "@takes.txt"])
@pytest.mark.usefixtures("files")
def test_what_stands_for_many_files_is_refused_where_one_is_needed(given: str) -> None:
    Path("takes").mkdir()
    Path("takes.txt").write_text("takes\n")
    with pytest.raises(UsageError, match=r"give one file, or give .* to animate_all"):
        single(given, "speech", "animate_all")
    assert single("missing.wav", "speech", "animate_all") == Path("missing.wav"), "the reader says what is missing"


def test_python_functions_say_which_argument_is_no_path() -> None:
    """In a process of its own, without the type checks of the tests."""
    code = """
import facetalk
for call in (
    lambda: facetalk.animate(3),
    lambda: facetalk.animate("a.wav", out=3),
    lambda: facetalk.animate_all([None]),
    lambda: facetalk.animate_lines(3),
    lambda: facetalk.fit(["a.mp4"]),
    lambda: facetalk.fit_videos(["a.mp4"], 3),
    lambda: facetalk.read_motion(3),
    lambda: facetalk.write_motion(3, None),
):
    try:
        call()
    except facetalk.UsageError as error:
        print(str(error).removesuffix("; a path is text or a Path"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "speech is 3",
        "out is 3",
        "an input is None",
        "table_path is 3",
        "video is ['a.mp4']",
        "out_dir is 3",
        "path is 3",
        "path is 3",
    ]


@pytest.mark.parametrize("inputs", [[""], ["a.wav", ""]])
def test_an_empty_path_is_not_the_current_folder(inputs: list[str]) -> None:
    with pytest.raises(UsageError, match=r"an input is empty; give a path, or \. for the current folder"):
        listed(inputs)


def test_what_holds_no_paths_is_refused() -> None:
    with pytest.raises(UsageError, match="a list of paths is needed, not 5"):
        as_paths(5)
