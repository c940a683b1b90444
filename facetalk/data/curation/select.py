"""All stages in order: what is known of a video in, the spans to keep and the reasons for the others out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.core.timing import FPS
from facetalk.data.curation.laughter import choose_by_laughter, laughter_in
from facetalk.data.curation.settings import CurationRules
from facetalk.data.curation.spans import (
    Check,
    Rejection,
    Span,
    Split,
    apply_checks,
    cut_long,
    cut_to_length,
    drop_short,
    uncovered,
)
from facetalk.data.curation.speaker import Speaking, judge_speaking, speaking_checks
from facetalk.data.curation.tracks import FaceTrack

NO_FACE = "no face"


@dataclass(frozen=True, eq=False)
class Hearing:
    """What is heard in a video, on its frames."""

    expected_mouth: Float[Tensor, " frames"]
    """Opening of the lips that the speech encoder expects."""
    voiced: Bool[Tensor, " frames"]
    laughs: Sequence[Span]


class KeptSpan(NamedTuple):
    """One clip to be."""

    span: Span
    face: int
    """Number of the track."""
    av_corr: float
    """How far the mouth follows the voice; NaN where nobody asked."""
    av_lag_s: float
    laughter_s: float


class FaceRejection(NamedTuple):
    """Why a face's span, or with no face at all a span of the video, was left out."""

    face: int | None
    rejection: Rejection


@dataclass(frozen=True)
class Selection:
    """What becomes of a video."""

    kept: list[KeptSpan] = field(default_factory=list)
    rejected: list[FaceRejection] = field(default_factory=list)


def select_spans(
    tracks: Sequence[FaceTrack], num_frames: int, hearing: Hearing | None, rules: CurationRules
) -> Selection:
    """Apply every rule but that of the fit.

    Args:
        tracks: the faces, each within one scene.
        num_frames: of the video, 30 a second.
        hearing: None for a video without sound.
        rules: the thresholds.
    """
    selection = Selection()
    candidates = {track.number: _steady_spans(track, rules, selection) for track in tracks}
    if rules.speaker.check:
        candidates = _speaking_spans(tracks, candidates, hearing, rules, selection)
    laughs = hearing.laughs if hearing is not None else ()
    for track in tracks:
        spans = _keep(choose_by_laughter(candidates[track.number][0], laughs, rules.laughter), track, selection)
        spans = cut_long(spans, round(rules.length.max_s * FPS))
        if rules.length.clip_s:
            spans = _keep(cut_to_length(spans, round(rules.length.clip_s * FPS), FPS), track, selection)
        for span in spans:
            corr, lag_s = _mean_sync(candidates[track.number][1], span)
            selection.kept.append(KeptSpan(span, track.number, corr, lag_s, laughter_in(span, laughs)))
    selection.kept.sort(key=lambda kept: (kept.span.start, kept.face))
    for span in uncovered(Span(0, num_frames), [track.span for track in tracks]):
        selection.rejected.append(FaceRejection(None, Rejection(span, NO_FACE, 0.0, 1.0)))
    selection.rejected.sort(key=lambda row: (row.rejection.span.start, -1 if row.face is None else row.face))
    return selection


def face_checks(track: FaceTrack, rules: CurationRules) -> tuple[Check, ...]:
    """What must hold in every frame of a usable face, the gravest first."""
    return (
        Check(NO_FACE, track.seen.float(), 1.0, at_least=True),
        Check("small face", track.width_px, rules.face.min_width_px, at_least=True),
        Check("turned aside", track.yaw_deg.abs(), rules.face.max_yaw_deg),
        Check("turned up or down", track.pitch_deg.abs(), rules.face.max_pitch_deg),
        Check("quick turn", track.turn_deg_s.nan_to_num(0.0), rules.motion.max_turn_deg_s),
        Check("quick movement", track.move_widths_s.nan_to_num(0.0), rules.motion.max_move_widths_s),
    )


_Candidates = tuple[list[Span], Speaking | None]


def _steady_spans(track: FaceTrack, rules: CurationRules, selection: Selection) -> _Candidates:
    """The spans in which a face can be used."""
    least = round(rules.length.min_s * FPS)
    forgiven = round(rules.face.forgiven_s * FPS)
    split = apply_checks([track.span], face_checks(track, rules), least, forgiven, rules.face.good_share)
    return _keep(drop_short(_keep(split, track, selection), least, FPS), track, selection), None


def _speaking_spans(
    tracks: Sequence[FaceTrack],
    candidates: dict[int, _Candidates],
    hearing: Hearing | None,
    rules: CurationRules,
    selection: Selection,
) -> dict[int, _Candidates]:
    """The parts of the spans in which the face is the one that is heard."""
    if hearing is None:
        for track in tracks:
            for span in candidates[track.number][0]:
                selection.rejected.append(FaceRejection(track.number, Rejection(span, "no sound", 0.0, 1.0)))
        return {track.number: ([], None) for track in tracks}
    judged = {track.number: _judge(track, candidates[track.number][0], hearing, rules) for track in tracks}
    chosen: dict[int, _Candidates] = {}
    for track in tracks:
        own = judged[track.number]
        others = [judged[other.number] for other in tracks if other.number != track.number]
        checks = speaking_checks(own, others, rules.speaker)
        split = apply_checks(candidates[track.number][0], checks, round(rules.length.min_s * FPS))
        chosen[track.number] = _keep(split, track, selection), own
    return chosen


def _judge(track: FaceTrack, spans: Sequence[Span], hearing: Hearing, rules: CurationRules) -> Speaking:
    """How far a face follows the voice, on all frames of the video; -1 where it is no candidate."""
    count = len(track.seen)
    whole = Speaking(
        corr=torch.full((count,), -1.0),
        lag_s=torch.zeros(count),
        voice_share=torch.zeros(count),
        passes=torch.zeros(count),
    )
    for span in spans:
        inside = slice(span.start, span.stop)
        part = judge_speaking(
            track.mouth[inside], hearing.expected_mouth[inside], hearing.voiced[inside], rules.speaker
        )
        for name in Speaking.__annotations__:
            getattr(whole, name)[inside] = getattr(part, name)
    return whole


def _keep(split: Split, track: FaceTrack, selection: Selection) -> list[Span]:
    """Note what a stage dropped; returns what it kept."""
    selection.rejected.extend(FaceRejection(track.number, rejection) for rejection in split.rejected)
    return split.kept


def _mean_sync(speaking: Speaking | None, span: Span) -> tuple[float, float]:
    if speaking is None:
        return torch.nan, torch.nan
    inside = slice(span.start, span.stop)
    return float(speaking.corr[inside].mean()), float(speaking.lag_s[inside].mean())
