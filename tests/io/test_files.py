from __future__ import annotations

from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError
from facetalk.io.files import checked_name, folder_of_results, replacing


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "photos.mp4"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(b"x")
    with pytest.raises(FacetalkError, match="is a folder"), replacing(folder) as temporary:
        temporary.write_bytes(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["photos.mp4"]
    assert (folder / "one.jpg").read_bytes() == b"x"


def test_folders_of_results_are_made_and_those_without_any_are_removed(tmp_path: Path) -> None:
    kept, missing = tmp_path / "kept", tmp_path / "kept/new/deep"
    kept.mkdir()
    with pytest.raises(RuntimeError), folder_of_results(missing):
        assert missing.is_dir()
        raise RuntimeError
    assert kept.is_dir() and not list(kept.iterdir())
    with pytest.raises(RuntimeError), folder_of_results(missing):
        (missing.parent / "a.txt").write_text("a")
        raise RuntimeError
    assert [path.name for path in missing.parent.iterdir()] == ["a.txt"]
    with folder_of_results(missing):
        pass
    assert missing.is_dir()


def test_a_folder_is_replaced_only_by_a_complete_one(tmp_path: Path) -> None:
    folder = tmp_path / "take_obj"
    folder.mkdir()
    (folder / "0.obj").write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(folder) as temporary:
        temporary.mkdir()
        raise RuntimeError
    assert (folder / "0.obj").read_bytes() == b"old"
    with replacing(folder) as temporary:
        temporary.mkdir()
        (temporary / "1.obj").write_bytes(b"new")
    assert [path.name for path in folder.iterdir()] == ["1.obj"]
    assert [path.name for path in tmp_path.iterdir()] == ["take_obj"]


def test_the_longest_legal_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("ж" * 125 + ".mp4")  # 254 bytes
    with replacing(path) as temporary:
        temporary.write_bytes(b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../victim", "/etc/passwd", "a/b", "", ".", "..", "a\0b", 7, None])
def test_names_that_lead_out_of_the_folder_are_refused(name: object) -> None:
    with pytest.raises(FacetalkError, match="cannot lead to another folder"):
        checked_name(name, Path("manifest.csv"))


def test_an_ordinary_name_is_kept() -> None:
    assert checked_name("talk__2024.take-1", Path("manifest.csv")) == "talk__2024.take-1"
