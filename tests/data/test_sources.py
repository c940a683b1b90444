import logging
import os
from pathlib import Path

import pytest

from facetalk.core.errors import UsageError
from facetalk.data import sources
from facetalk.data.sources import clip_names, find_speech, find_videos, once, output_name
from facetalk.io.path_list import listed


def test_names_are_stems_and_include_folders_only_where_needed() -> None:
    names = clip_names(
        [Path("/x/ann/a.mp4"), Path("/x/bob/a.mp4"), Path("/x/c.mp4"), Path("/y/d.mp4"), Path("/y/d.mkv")]
    )
    assert list(names.values()) == ["ann__a", "bob__a", "c", "d_mp4", "d_mkv"]
    twins = clip_names([Path(f"/{folder}/t/{name}") for folder in "xy" for name in ("a.wav", "a.mp3", "a_wav.wav")])
    assert list(twins.values())[:3] == ["x__t__a_wav_", "x__t__a_mp3", "x__t__a_wav"] and len(set(twins.values())) == 6
    joined = [Path(name) for name in ("/a__b/c.wav", "/a/b__c.wav", "/x/c.wav", "/y/b__c.wav")]
    assert len(set(clip_names(joined).values())) == 4


def test_a_single_path_is_no_list_of_letters() -> None:
    for find in (find_videos, listed):
        with pytest.raises(UsageError, match=r"a list of paths is needed, not 'clip\.mp4' alone"):
            find("clip.mp4")


def test_folders_that_disappear_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "a.mp4").touch()
    monkeypatch.setattr(sources, "_folders", lambda top: [top, tmp_path / "vanished"])
    assert find_videos([tmp_path]) == [tmp_path / "a.mp4"]
    assert "vanished is not searched: No such file or directory" in caplog.text


def test_another_spelling_of_a_path_is_the_same_file_and_a_link_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to("sub")
    (tmp_path / "sub/b.wav").symlink_to("a.wav")
    paths = [tmp_path / name for name in ("sub/a.wav", "sub/../sub/a.wav", "link/a.wav", "sub/b.wav")]
    assert once(paths) == [paths[0], paths[3]]


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


@pytest.mark.parametrize("name", ["..wav", "...wav"])
def test_a_file_whose_outputs_would_lead_to_another_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="rename the file"):
        clip_names([tmp_path / "a.wav", tmp_path / name])
    assert output_name("....wav") == "..."


def test_broken_links_and_pipes_named_like_media_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/gone.mp4").symlink_to("missing.mp4")
    (tmp_path / "notes.txt").symlink_to("missing.txt")
    os.mkfifo(tmp_path / "pipe.mkv")
    with caplog.at_level(logging.WARNING):
        assert find_videos([tmp_path]) == [tmp_path / "a.mp4"]
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"{tmp_path / 'pipe.mkv'} is skipped: it is a pipe or a device",
        f"{tmp_path / 'sub/gone.mp4'} is skipped: it is a link to missing.mp4, which does not exist",
    ]
