import dataclasses

import pytest
import torch

from facetalk.core.config import build
from facetalk.core.errors import UsageError
from facetalk.core.spans import Span
from facetalk.data.curation.laughter import find_laughs, laughs_at, laughter_in
from facetalk.data.curation.select import AudioCues, Selection, select_spans
from facetalk.data.curation.settings import CurationRules, LaughterRules, LengthRules, SpeakerRules
from facetalk.data.curation.tracks import MeasuredFace
from tests.data.curation.test_speaker import syllables

FRAMES = 900
ALL = Span(0, FRAMES)


def face(number: int = 0, span: Span = ALL, **changes: torch.Tensor) -> MeasuredFace:
    """A large, frontal, still face whose mouth moves in syllables."""
    seen = torch.zeros(FRAMES, dtype=torch.bool)
    seen[span.start : span.stop] = True
    values = {
        "width_px": torch.full((FRAMES,), 150.0),
        "yaw_deg": torch.zeros(FRAMES),
        "pitch_deg": torch.zeros(FRAMES),
        "turn_deg_s": torch.zeros(FRAMES),
        "move_widths_s": torch.zeros(FRAMES),
        "mouth": syllables(FRAMES, number),
    } | changes
    for row in values.values():
        row[~seen] = torch.nan
    return MeasuredFace(number=number, span=span, seen=seen, **values)


def heard(one: MeasuredFace, laughs: tuple[Span, ...] = ()) -> AudioCues:
    return AudioCues(one.mouth.nan_to_num(0.0), torch.ones(FRAMES, dtype=torch.bool), laughs)


def reasons(selection: Selection) -> set[str]:
    return {row.rejection.reason for row in selection.rejected}


def test_a_good_take_is_kept_whole() -> None:
    one = face()
    selection = select_spans([one], FRAMES, heard(one), CurationRules())
    (kept,) = selection.kept
    assert kept.span == Span(0, FRAMES) and kept.av_corr > 0.9 and kept.av_lag_s == 0
    assert not selection.rejected


@pytest.mark.parametrize(
    "name, value, reason",
    [
        ("width_px", 40.0, "small face"),
        ("yaw_deg", -50.0, "turned aside"),
        ("pitch_deg", 30.0, "turned up or down"),
        ("turn_deg_s", 200.0, "quick turn"),
        ("move_widths_s", 2.0, "quick movement"),
    ],
)
def test_each_violation_has_its_reason(name: str, value: float, reason: str) -> None:
    one = face()
    getattr(one, name)[300:500] = value
    selection = select_spans([one], FRAMES, heard(one), CurationRules())
    assert [kept.span for kept in selection.kept] == [Span(0, 300), Span(500, FRAMES)]
    (row,) = selection.rejected
    assert row.rejection.reason == reason and row.rejection.value == abs(value) and row.face == 0


def test_the_time_without_any_face_is_accounted_for() -> None:
    one = face(span=Span(200, 700))
    selection = select_spans([one], FRAMES, heard(one), CurationRules())
    assert [row.rejection.span for row in selection.rejected] == [Span(0, 200), Span(700, FRAMES)]
    assert all(row.face is None and row.rejection.reason == "no face" for row in selection.rejected)


def test_of_two_faces_only_the_speaker_is_kept() -> None:
    speaker, listener = face(0), face(1)
    selection = select_spans([listener, speaker], FRAMES, heard(speaker), CurationRules())
    assert [kept.face for kept in selection.kept] == [0]
    assert {row.face for row in selection.rejected} == {1}


def test_without_audio_nothing_is_kept_unless_the_speaker_is_not_checked() -> None:
    one = face()
    assert reasons(select_spans([one], FRAMES, None, CurationRules())) == {"no audio"}
    unchecked = CurationRules(speaker=SpeakerRules(check=False))
    assert len(select_spans([one], FRAMES, None, unchecked).kept) == 1


def test_laughter_is_recorded_required_or_excluded() -> None:
    one = face()
    audio = heard(one, (Span(100, 220),))
    (labeled,) = select_spans([one], FRAMES, audio, CurationRules()).kept
    assert labeled.laughter_s == 4.0
    only = dataclasses.replace(CurationRules(), laughter=LaughterRules(mode="only"))
    assert len(select_spans([one], FRAMES, audio, only).kept) == 1
    assert reasons(select_spans([one], FRAMES, heard(one), only)) == {"too little laughter"}
    none = dataclasses.replace(CurationRules(), laughter=LaughterRules(mode="none"))
    assert reasons(select_spans([one], FRAMES, audio, none)) == {"laughter"}


def test_training_clips_have_the_chosen_length() -> None:
    one = face()
    rules = CurationRules(length=LengthRules(clip_s=3.5))
    selection = select_spans([one], FRAMES, heard(one), rules)
    assert [kept.span.length for kept in selection.kept] == [105] * 8
    assert reasons(selection) == {"remainder"}


def test_laughs_close_gaps_and_drop_blips() -> None:
    probability = torch.zeros(200)
    probability[20:40] = probability[46:60] = probability[100:104] = 0.9
    assert find_laughs(probability, LaughterRules()) == [Span(20, 60)]
    assert laughs_at([(1.0, 2.0), (1.5, 2.5)], 200) == [Span(30, 75)]
    assert laughter_in(Span(50, 100), [Span(30, 75), Span(90, 95)]) == pytest.approx(1.0)


def test_wrong_rules_are_named() -> None:
    with pytest.raises(UsageError, match=r"laughter.mode='loud'"):
        build(CurationRules, {"laughter": {"mode": "loud"}})
    with pytest.raises(UsageError, match="did you mean max_yaw_deg"):
        build(CurationRules, {"face": {"max_yaw": 3}})
    with pytest.raises(UsageError, match="at most length"):
        build(CurationRules, {"length": {"min_s": 70}})
