from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import still_motion
from facetalk.data.manifest import COLUMNS, Clip, manifest_row, read_manifest, split_by_speaker


def test_rows_become_clips_and_empty_fields_stay_unknown(tmp_path: Path) -> None:
    text = "name,speaker,label,av_corr,extra\na,GRID:x,happy,0.5,1\nb,,,,\n"
    (tmp_path / "manifest.csv").write_text(text)
    first, second = read_manifest(tmp_path)
    assert (first.name, first.speaker, first.label, first.av_corr) == ("a", "GRID:x", "happy", 0.5)
    assert first.motion_path == tmp_path / "a.npz"
    assert first.audio_path == tmp_path / "a.wav"
    assert (second.speaker, second.av_corr) == ("", None)
    assert first.style != second.style


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,speaker\n", "lists no clips"),
        ("clip\na\n", "no column 'name'"),
        ("name,av_corr\na,high\n", "not a number"),
        ("name,av_offset_ms\na,inf\n", "av_offset_ms of a is 'inf', not a number"),
    ],
)
def test_a_broken_manifest_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(FacetalkError, match=message):
        read_manifest(tmp_path)


def test_a_folder_without_manifest_is_not_a_dataset(tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match="is not a dataset"):
        read_manifest(tmp_path)


def test_no_speaker_is_on_both_sides_of_the_split() -> None:
    speakers = ["ELO:T1", "ELO:T4", "LRW-AR:group05", "LRW-AR:group15", "LRW-AR:group51", "", "ELO:T4"]
    clips = [Clip(Path(), str(index), speaker) for index, speaker in enumerate(speakers)]
    train, validation = split_by_speaker(clips, ["ELO:T4", "LRW-AR:group?5"])
    assert [clip.speaker for clip in validation] == ["ELO:T4", "LRW-AR:group05", "LRW-AR:group15", "ELO:T4"]
    assert len(train) + len(validation) == len(clips)
    assert not {clip.speaker for clip in train} & {clip.speaker for clip in validation}


def test_the_row_of_a_fit_has_every_column_in_order() -> None:
    motion = still_motion("toy", torch.zeros(45, 1), ("jawOpen",), 30.0, 2).replace(
        source_fps=25.0, fit_error=torch.full((45,), 0.0123456)
    )
    row = manifest_row("clip", Path("clip.mp4"), motion, has_audio=True)
    assert tuple(row) == COLUMNS
    assert (row["duration_s"], row["source_fps"], row["has_audio"], row["fit_error"]) == (1.5, 25.0, 1, 0.01235)
    assert row["speaker"] == row["av_corr"] == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,speaker\n../victim,a\n", "cannot lead to another folder"),
        (b"name,speaker\nclip\n", "row 1 does not have as many fields"),
        (b"name,speaker\nclip,a,b\n", "row 1 does not have as many fields"),
        (b"name,speaker\n\xff\xfe,a\n", "not a CSV table in UTF-8"),
        (b"name,speaker,av_corr\nclip,a,nan\n", "not a number"),
    ],
)
def test_a_tampered_manifest_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(FacetalkError, match=message):
        read_manifest(tmp_path)
