from __future__ import annotations

import logging
from pathlib import Path

import pytest

from facetalk.core.errors import FacetalkError
from facetalk.data.manifest import Clip
from facetalk.data.split import split_clips


def clips(*speakers: str, duration_s: float | None = 10.0) -> list[Clip]:
    return [Clip(Path(), f"c{n}", speaker=speaker, duration_s=duration_s) for n, speaker in enumerate(speakers)]


MANY = [f"S{n}" for n in range(30)]


def test_speakers_that_match_a_pattern_are_kept_for_validation_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    train, validation = split_clips(clips(*MANY), ["S1", "S2?"])
    assert [clip.speaker for clip in validation] == ["S1", *(f"S{n}" for n in range(20, 30))]
    assert len(train) == 19
    caplog.clear()
    split_clips(clips(*MANY), ["S1"])
    assert not caplog.records


def test_patterns_that_match_nobody_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        train, validation = split_clips(clips(*MANY), ["Ann", "B*"])
    assert len(train) == 30 and not validation
    assert (
        "data.dev_speakers (Ann, B*) matches none of the speakers (S0, S1, S10, S11, S12, ... 30 in all)" in caplog.text
    )
    assert "not validated" in caplog.text and len(caplog.records) == 1


def test_without_patterns_nobody_is_kept_and_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert not split_clips(clips(*MANY), [])[1]
    assert not caplog.records


def test_clips_without_a_speaker_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    split_clips(clips(*MANY, "", ""), ["S1"])
    assert "2 of 32 clips have no speaker" in caplog.text
    caplog.clear()
    split_clips(clips("", "", ""), ["S1"])
    assert "matches none of the speakers (none is named)" in caplog.text


@pytest.mark.parametrize(
    ("count", "duration_s", "message"),
    [(3, 4.0, "only 3 clips (12 s)"), (3, None, "only 3 clips to train on"), (30, 2.0, "only 30 clips (60 s)")],
)
def test_little_data_is_reported(
    count: int, duration_s: float | None, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    split_clips(clips(*MANY[:count], duration_s=duration_s), [])
    assert message in caplog.text


def test_patterns_that_match_everybody_leave_nothing_to_train_on() -> None:
    with pytest.raises(FacetalkError, match=r"all 30 clips belong to validation speakers.*data.dev_speakers \(S\*\)"):
        split_clips(clips(*MANY), ["S*"])
