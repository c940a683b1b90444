from pathlib import Path

import pytest

from facetalk.core.errors import UsageError
from facetalk.data.sources import clip_names, find_note, find_speech, find_videos, read_laugh_times, read_notes


def test_names_are_stems_and_include_folders_only_where_needed() -> None:
    names = clip_names(
        [Path("/x/ann/a.mp4"), Path("/x/bob/a.mp4"), Path("/x/c.mp4"), Path("/y/d.mp4"), Path("/y/d.mkv")]
    )
    assert list(names.values())[:3] == ["ann__a", "bob__a", "c"]
    assert len(set(names.values())) == 5


def test_a_folder_without_videos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no video files found in"):
        find_videos([tmp_path])


def test_folders_are_searched_and_each_video_is_listed_once(tmp_path: Path) -> None:
    for name in ("b.mp4", "sub/a.MKV", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_videos([tmp_path / "b.mp4", tmp_path])
    assert [path.name for path in found] == ["b.mp4", "a.MKV"]


def test_linked_folders_are_searched_once_and_loops_end(tmp_path: Path) -> None:
    for name in ("top/own/a.mp4", "elsewhere/b.mp4"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "top/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "top/again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "top/alias").symlink_to("own")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "top")
    (tmp_path / "top/own/self").symlink_to(".")
    (tmp_path / "top/nowhere").symlink_to("missing")
    found = find_videos([tmp_path / "top"])
    assert [str(path.relative_to(tmp_path / "top")) for path in found] == ["again/b.mp4", "own/a.mp4"]


def test_a_folder_is_searched_for_files_only_and_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("a.WAV", "b.mp4", "c.txt", "._a.wav", ".hidden/d.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    assert [path.name for path in find_speech([tmp_path])] == ["a.WAV", "b.mp4"]
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match=r"no audio files found in .*none"):
        find_speech([tmp_path / "none"])


def test_the_longest_listed_path_decides() -> None:
    notes = {"a.mp4": 1, "ann/a.mp4": 2}
    assert find_note(Path("/x/ann/a.mp4"), notes) == 2
    assert find_note(Path("/x/bob/a.mp4"), notes) == 1
    assert find_note(Path("/x/bob/b.mp4"), notes) is None


def test_tables_of_the_user_are_checked(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    with pytest.raises(UsageError, match="no file"):
        read_notes(table)
    table.write_text("video,speaker\na.mp4,Ann\n", encoding="utf-8")
    with pytest.raises(UsageError, match="needs a column 'path'; found: video, speaker"):
        read_notes(table)
    with pytest.raises(UsageError, match="not a table of path, start_s, end_s"):
        read_laugh_times(table)
    table.write_text("path,start_s,end_s\na.mp4,0,1.5\na.mp4,2,3\n", encoding="utf-8")
    assert read_laugh_times(table) == {"a.mp4": [(0.0, 1.5), (2.0, 3.0)]}
