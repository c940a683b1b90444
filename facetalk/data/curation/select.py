"""All rules in order: what is known of a video in, spans to keep and reasons for the others out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.core.spans import Span
from facetalk.core.timing import FPS
from facetalk.data.curation.laughter import choose_by_laughter, laughter_in
from facetalk.data.curation.settings import CurationRules
from facetalk.data.curation.spans import (
    Check,
    Rejection,
    Split,
    apply_checks,
    cut_long,
    cut_to_length,
    drop_short,
    uncovered,
)
from facetalk.data.curation.speaker import SpeakingScore, score_speaking, speaking_checks
from facetalk.data.curation.tracks import MeasuredFace

NO_FACE, NO_AUDIO = "no face", "no audio"


@dataclass(frozen=True, eq=False)
class AudioCues:
    """Voice and laughter in each frame of a video."""

    expected_mouth: Float[Tensor, " frames"]
    """Opening of the lips that the speech encoder expects."""
    voiced: Bool[Tensor, " frames"]
    laughs: Sequence[Span]


class KeptSpan(NamedTuple):
    """A span that becomes a clip."""

    span: Span
    face: int
    """Number of the track."""
    av_corr: float
    """How well the mouth follows the voice; NaN where that was not checked."""
    av_lag_s: float
    laughter_s: float


class FaceRejection(NamedTuple):
    """A rejected span of one face, or for None of the video where it shows no face."""

    face: int | None
    rejection: Rejection


@dataclass(frozen=True)
class Selection:
    """Kept and rejected spans of a video."""

    kept: list[KeptSpan] = field(default_factory=list)
    rejected: list[FaceRejection] = field(default_factory=list)

    def add(self, split: Split, face: MeasuredFace) -> list[Span]:
        """Record what a stage rejected, and return what it kept."""
        self.rejected.extend(FaceRejection(face.number, rejection) for rejection in split.rejected)
        return split.kept


def select_spans(
    faces: Sequence[MeasuredFace], num_frames: int, audio: AudioCues | None, rules: CurationRules
) -> Selection:
    """Apply every rule except that of the fit.

    Args:
        faces: each within one scene.
        num_frames: of the video, at 30 fps.
        audio: None for a video without audio.
        rules: the thresholds.
    """
    selection = Selection()
    spans = {face.number: _steady_spans(face, rules, selection) for face in faces}
    scores: dict[int, SpeakingScore] = {}
    if rules.speaker.check:
        spans, scores = _speaking_spans(faces, spans, audio, rules, selection)
    laughs = audio.laughs if audio is not None else ()
    for face in faces:
        chosen = selection.add(choose_by_laughter(spans[face.number], laughs, rules.laughter), face)
        for span in _clips(chosen, face, rules, selection):
            corr, lag_s = _mean_sync(scores.get(face.number), span)
            selection.kept.append(KeptSpan(span, face.number, corr, lag_s, laughter_in(span, laughs)))
    selection.kept.sort(key=lambda kept: (kept.span.start, kept.face))
    for span in uncovered(Span(0, num_frames), [face.span for face in faces]):
        selection.rejected.append(FaceRejection(None, Rejection(span, NO_FACE, 0.0, 1.0)))
    selection.rejected.sort(key=lambda row: (row.rejection.span.start, -1 if row.face is None else row.face))
    return selection


def face_checks(face: MeasuredFace, rules: CurationRules) -> tuple[Check, ...]:
    """Conditions for the frames of a usable face, the most severe first."""
    return (
        Check(NO_FACE, face.seen.float(), 1.0, at_least=True),
        Check("small face", face.width_px, rules.face.min_width_px, at_least=True),
        Check("turned aside", face.yaw_deg.abs(), rules.face.max_yaw_deg),
        Check("turned up or down", face.pitch_deg.abs(), rules.face.max_pitch_deg),
        Check("quick turn", face.turn_deg_s.nan_to_num(0.0), rules.motion.max_turn_deg_s),
        Check("quick movement", face.move_widths_s.nan_to_num(0.0), rules.motion.max_move_widths_s),
    )


def _steady_spans(face: MeasuredFace, rules: CurationRules, selection: Selection) -> list[Span]:
    """The spans in which a face is usable."""
    min_frames = round(rules.length.min_s * FPS)
    forgiven = round(rules.face.forgiven_s * FPS)
    split = apply_checks([face.span], face_checks(face, rules), min_frames, forgiven, rules.face.good_share)
    return selection.add(drop_short(selection.add(split, face), min_frames, FPS), face)


def _speaking_spans(
    faces: Sequence[MeasuredFace],
    spans: dict[int, list[Span]],
    audio: AudioCues | None,
    rules: CurationRules,
    selection: Selection,
) -> tuple[dict[int, list[Span]], dict[int, SpeakingScore]]:
    """The parts of each face's spans in which it is the one that is heard, and the scores of the faces."""
    if audio is None:
        for face in faces:
            for span in spans[face.number]:
                selection.rejected.append(FaceRejection(face.number, Rejection(span, NO_AUDIO, 0.0, 1.0)))
        return {face.number: [] for face in faces}, {}
    scores = {face.number: _score(face, spans[face.number], audio, rules) for face in faces}
    chosen = {}
    for face in faces:
        others = [scores[other.number] for other in faces if other.number != face.number]
        checks = speaking_checks(scores[face.number], others, rules.speaker)
        split = apply_checks(spans[face.number], checks, round(rules.length.min_s * FPS))
        chosen[face.number] = selection.add(split, face)
    return chosen, scores


def _score(face: MeasuredFace, spans: Sequence[Span], audio: AudioCues, rules: CurationRules) -> SpeakingScore:
    """The score of a face on all frames of the video, `SpeakingScore.unknown` outside its spans."""
    whole = SpeakingScore.unknown(len(face.seen))
    for span in spans:
        inside = slice(span.start, span.stop)
        part = score_speaking(face.mouth[inside], audio.expected_mouth[inside], audio.voiced[inside], rules.speaker)
        for item in fields(SpeakingScore):
            getattr(whole, item.name)[inside] = getattr(part, item.name)
    return whole


def _clips(spans: Sequence[Span], face: MeasuredFace, rules: CurationRules, selection: Selection) -> list[Span]:
    """Spans cut to the lengths that the rules ask for."""
    cut = cut_long(spans, round(rules.length.max_s * FPS))
    if not rules.length.clip_s:
        return cut
    return selection.add(cut_to_length(cut, round(rules.length.clip_s * FPS), FPS), face)


def _mean_sync(score: SpeakingScore | None, span: Span) -> tuple[float, float]:
    if score is None:
        return torch.nan, torch.nan
    inside = slice(span.start, span.stop)
    return float(score.corr[inside].mean()), float(score.lag_s[inside].mean())
