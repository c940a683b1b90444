"""Cutting spans: what is kept, and what is rejected for which reason."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.core.spans import Span, runs


@dataclass(frozen=True)
class Rejection:
    """A span that was rejected."""

    span: Span
    reason: str
    value: float
    """Measured value."""
    threshold: float
    """Limit that was violated."""


class Split(NamedTuple):
    """Outcome of one stage."""

    kept: list[Span]
    rejected: list[Rejection]


@dataclass(frozen=True, eq=False)
class Check:
    """A condition that every frame must satisfy."""

    reason: str
    """Of the rejection where it fails."""
    values: Float[Tensor, " frames"]
    """Measured values; NaN, where nothing could be measured, fails."""
    limit: float
    at_least: bool = False
    """Whether the limit is a minimum; else it is a maximum."""

    @property
    def good(self) -> Bool[Tensor, " frames"]:
        """Frames that satisfy it."""
        return self.values >= self.limit if self.at_least else self.values <= self.limit

    def worst(self, span: Span) -> float:
        """The value in a span that is farthest on the wrong side."""
        values = self.values[span.start : span.stop]
        return float(values.nan_to_num(torch.inf).min() if self.at_least else values.nan_to_num(-torch.inf).max())


def apply_checks(
    spans: Sequence[Span], checks: Sequence[Check], min_frames: int, forgiven: int = 0, good_share: float = 0.0
) -> Split:
    """Reject the stretches in which a check fails, and good stretches that are too short next to them.

    Short failures inside a good stretch are forgiven. A rejected stretch is attributed to the check that fails in most
    of its frames.

    Args:
        spans: candidates.
        checks: over all frames of the video.
        min_frames: shortest good stretch worth keeping; a span that is good as a whole is kept anyway.
        forgiven: longest failure that is forgiven, frames.
        good_share: share of a kept span's frames that must satisfy all checks, 0 to 1.
    """
    split = Split([], [])
    for span in spans:
        good = torch.stack([check.good[span.start : span.stop] for check in checks]).all(0)
        keep = _kept_frames(good, min_frames, forgiven, good_share)
        split.kept.extend(run.shifted(span.start) for run in runs(keep))
        split.rejected.extend(_rejection(run.shifted(span.start), checks) for run in runs(~keep))
    return split


def drop_short(spans: Sequence[Span], min_frames: int, fps: float) -> Split:
    """Keep the spans of at least a number of frames."""
    split = Split([], [])
    for span in spans:
        if span.length >= min_frames:
            split.kept.append(span)
        else:
            split.rejected.append(Rejection(span, "too short", span.length / fps, min_frames / fps))
    return split


def cut_to_length(spans: Sequence[Span], length: int, fps: float) -> Split:
    """Cut spans into clips of one length, centered, so that the remainder lies at both ends."""
    split = Split([], [])
    for span in spans:
        count = span.length // length
        first = span.start + (span.length - count * length) // 2 if count else span.stop
        split.kept.extend(Span(first + k * length, first + (k + 1) * length) for k in range(count))
        for rest in (Span(span.start, first), Span(first + count * length, span.stop)):
            if rest.length:
                split.rejected.append(Rejection(rest, "remainder", rest.length / fps, length / fps))
    return split


def cut_long(spans: Sequence[Span], max_frames: int) -> list[Span]:
    """Spans, with those of more than a number of frames cut into equal parts."""
    parts = []
    for span in spans:
        count = -(-span.length // max_frames)
        edges = [span.start + span.length * k // count for k in range(count + 1)]
        parts += [Span(start, stop) for start, stop in itertools.pairwise(edges)]
    return parts


def scene_spans(cuts: Sequence[int], num_frames: int) -> list[Span]:
    """The spans between cuts."""
    edges = sorted({0, *(cut for cut in cuts if 0 < cut < num_frames), num_frames})
    return [Span(start, stop) for start, stop in itertools.pairwise(edges)]


def uncovered(whole: Span, spans: Sequence[Span]) -> list[Span]:
    """The parts of a span that no other span covers."""
    missing = torch.ones(whole.length, dtype=torch.bool)
    for span in spans:
        missing[max(0, span.start - whole.start) : max(0, span.stop - whole.start)] = False
    return [run.shifted(whole.start) for run in runs(missing)]


def _kept_frames(
    good: Bool[Tensor, " frames"], min_frames: int, forgiven: int, good_share: float
) -> Bool[Tensor, " frames"]:
    """Frames of a span that are kept; see `apply_checks`."""
    bridged = _bridged(good, forgiven)
    keep = bridged.clone()
    for run in runs(bridged):
        if float(good[run.start : run.stop].float().mean()) < good_share:
            keep[run.start : run.stop] = good[run.start : run.stop]
    if not bool(keep.all()):
        for run in list(runs(keep)):
            if run.length < min_frames:
                keep[run.start : run.stop] = False
    return keep


def _bridged(good: Bool[Tensor, " frames"], forgiven: int) -> Bool[Tensor, " frames"]:
    """Good frames, and short bad stretches between them."""
    bridged = good.clone()
    for run in runs(~good):
        if run.start > 0 and run.stop < len(good) and run.length <= forgiven:
            bridged[run.start : run.stop] = True
    return bridged


def _rejection(span: Span, checks: Sequence[Check]) -> Rejection:
    """The rejection of a span, for the check that fails in most of its frames."""
    failing = [int((~check.good[span.start : span.stop]).sum()) for check in checks]
    check = checks[failing.index(max(failing))]
    return Rejection(span, check.reason, check.worst(span), check.limit)
