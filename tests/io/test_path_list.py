"""Patterns and lists in place of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.path_list import listed


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


def test_lists_have_a_path_in_each_line_relative_to_their_folder(files: Path) -> None:
    (files / "sub/list.txt").write_text("\ufeff# takes\n\nc.wav\n../a.*\r\n", "utf-8")
    assert [path.resolve() for path in listed(["@sub/list.txt"])] == [files / "sub/c.wav", files / "a.wav"]
    assert listed(["@lines.csv"]) == [Path("@lines.csv")], "a table is none"
    (files / "@kept.txt").touch()
    assert listed(["@kept.txt"]) == [Path("@kept.txt")], "a file of this name is one"


@pytest.mark.parametrize("content", [b"", b"\n#nothing\n", b"\xff\xfe\xfd", b"a\0b", b"x\n" * 100_001])
def test_what_is_no_list_is_refused(files: Path, content: bytes) -> None:
    (files / "list.txt").write_bytes(content)
    with pytest.raises(FacetalkError, match=r"list\.txt"):
        listed(["@list.txt"])


@pytest.mark.usefixtures("files")
def test_a_missing_list_is_refused() -> None:
    with pytest.raises(FacetalkError, match=r"no such file: none\.txt"):
        listed(["@none.txt"])
