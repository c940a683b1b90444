from __future__ import annotations

import logging
from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.notes import checked_match, match_notes, read_laugh_times, read_notes


def videos(*paths: str) -> list[Path]:
    return [Path(path) for path in paths]


def test_the_longest_listed_path_decides() -> None:
    found = match_notes(videos("/x/ann/a.mp4", "/x/bob/a.mp4", "/x/bob/b.mp4"), {"a.mp4": 1, "ann/a.mp4": 2})
    assert found.notes == {Path("/x/ann/a.mp4"): 2, Path("/x/bob/a.mp4"): 1}
    assert found.missing == videos("/x/bob/b.mp4") and not found.by_name


@pytest.mark.parametrize("listed", ["/data/ann/a.mp4", r"C:\data\ann\a.mp4", "./ann/a.mp4"])
def test_paths_are_matched_however_they_are_written(listed: str) -> None:
    assert match_notes(videos("/data/ann/a.mp4"), {listed: 1}).notes == {Path("/data/ann/a.mp4"): 1}


def test_accents_match_in_both_of_their_encodings() -> None:
    assert match_notes(videos("/x/Ze\u0301.mp4"), {"Z\u00e9.mp4": 1}).notes == {Path("/x/Ze\u0301.mp4"): 1}


def test_videos_of_a_renamed_folder_are_matched_by_the_rest_of_their_path() -> None:
    notes = {"video/grid/a.mp4": 1, "video/lrs/a.mp4": 2, "video/lrs/b.mov": 3}
    found = match_notes(videos("/x/clips/lrs/a.mp4", "/x/clips/grid/a.mp4", "/x/clips/lrs/b.mp4"), notes)
    assert list(found.notes.values()) == [2, 1, 3]
    assert found.by_name[Path("/x/clips/lrs/b.mp4")] == "video/lrs/b.mov"


def test_a_name_that_could_mean_two_videos_matches_none() -> None:
    assert not match_notes(videos("/x/a.mp4"), {"ann/a.mp4": 1, "bob/a.mp4": 2}).notes
    assert not match_notes(videos("/x/cleo/a.mp4", "/x/dan/a.mp4"), {"ann/a.mp4": 1}).notes


def test_a_note_is_not_given_to_a_second_video_by_name() -> None:
    found = match_notes(videos("/x/ann/a.mp4", "/x/bob/a.mp4"), {"ann/a.mp4": 1})
    assert found.notes == {Path("/x/ann/a.mp4"): 1} and found.missing == videos("/x/bob/a.mp4")


def test_a_table_that_describes_no_video_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"about.csv describes none of the 1 videos: it lists 'b.mp4', a video is"):
        checked_match(videos("/x/a.mp4"), {"b.mp4": 1}, "about.csv")


def test_a_warning_counts_what_is_described_and_names_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    paths = [f"/x/{name}.mp4" for name in "abcdef"]
    with caplog.at_level(logging.WARNING):
        checked_match(videos(*paths), {"a.mp4": 1, "old/b.mp4": 1}, "about.csv")
    assert "1 videos are in folders of another name" in caplog.text and "/x/b.mp4 with old/b.mp4" in caplog.text
    assert "about.csv describes 2 of 6 videos, but not /x/c.mp4, /x/d.mp4, /x/e.mp4, ..." in caplog.text


def test_a_complete_table_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    checked_match(videos("/x/a.mp4"), {"a.mp4": 1}, "about.csv")
    assert not caplog.records


def test_tables_of_the_user_are_checked(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    with pytest.raises(UsageError, match="no file"):
        read_notes(table)
    table.write_text("video,speaker\na.mp4,Ann\n", encoding="utf-8")
    with pytest.raises(UsageError, match="needs a column 'path'; found: video, speaker"):
        read_notes(table)
    with pytest.raises(UsageError, match="not a table of path, start_s, end_s"):
        read_laugh_times(table)
    table.write_text("path,name of speaker\na.mp4,Ann\n", encoding="utf-8")
    with pytest.raises(UsageError, match="none of the columns speaker, label, text, av_corr, av_lag_ms"):
        read_notes(table)
    table.write_text("path,speaker\na.mp4,Ann\na.mp4,Bob\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"describes a\.mp4 twice"):
        read_notes(table)
    table.write_bytes(b"path,speaker\na.mp4,Z\xe9\n")
    with pytest.raises(FacetalkError, match="not a CSV table in UTF-8"):
        read_notes(table)
    table.write_text("path,start_s,end_s\na.mp4,0,1.5\na.mp4,2,3\n", encoding="utf-8")
    assert read_laugh_times(table) == {"a.mp4": [(0.0, 1.5), (2.0, 3.0)]}
    table.write_text("path,start_s,end_s\na.mp4,3,2\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"a laugh from 3\.0 to 2\.0 s"):
        read_laugh_times(table)
