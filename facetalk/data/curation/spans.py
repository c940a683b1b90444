"""Stretches of frames: kept, and dropped with a reason."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Span(NamedTuple):
    """Frames `start` up to and without `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.stop - self.start


@dataclass(frozen=True)
class Rejection:
    """A span that was dropped."""

    span: Span
    reason: str
    value: float
    """What was measured there."""
    threshold: float
    """What was asked for."""


class Split(NamedTuple):
    """What a stage leaves of the spans that it was given."""

    kept: list[Span]
    rejected: list[Rejection]


@dataclass(frozen=True, eq=False)
class Check:
    """One thing that must hold in every frame."""

    reason: str
    values: Float[Tensor, " frames"]
    """What was measured; NaN where nothing could be."""
    limit: float
    at_least: bool = False
    """Values must not fall below the limit; else they must not rise above it."""

    @property
    def good(self) -> Bool[Tensor, " frames"]:
        """Where it holds."""
        return self.values >= self.limit if self.at_least else self.values <= self.limit

    def worst(self, span: Span) -> float:
        """The value in a span that is farthest on the wrong side."""
        values = self.values[span.start : span.stop]
        return float(values.nan_to_num(torch.inf).min() if self.at_least else values.nan_to_num(-torch.inf).max())


def runs(mask: Bool[Tensor, " frames"]) -> Iterator[Span]:
    """The longest stretches in which a mask is true."""
    edge = torch.zeros(1, dtype=torch.int8, device=mask.device)
    steps = torch.diff(mask.to(torch.int8), prepend=edge, append=edge)
    for start, stop in zip((steps == 1).nonzero()[:, 0], (steps == -1).nonzero()[:, 0], strict=True):
        yield Span(int(start), int(stop))


def apply_checks(
    spans: Sequence[Span], checks: Sequence[Check], least: int, forgiven: int = 0, good_share: float = 0.0
) -> Split:
    """Cut away the stretches in which a check fails, with what is too short between or beside them.

    A bad stretch of up to `forgiven` frames between good ones stays, as long as `good_share` of the whole kept span is
    good; where it is not, the span is cut at every bad stretch. A dropped stretch is put down to the check that fails
    in most of its frames.

    Args:
        spans: what to look at.
        checks: over all frames of the video.
        least: frames of a good stretch that is worth keeping; a span that is good as a whole is kept anyway.
        forgiven: frames.
        good_share: of a kept span's frames, 0 to 1.
    """
    split = Split([], [])
    for span in spans:
        good = torch.stack([check.good[span.start : span.stop] for check in checks]).all(0)
        bridged = _bridge(good, forgiven)
        keep = bridged.clone()
        for run in runs(bridged):
            if float(good[run.start : run.stop].float().mean()) < good_share:
                keep[run.start : run.stop] = good[run.start : run.stop]
        if not bool(keep.all()):
            for run in list(runs(keep)):
                if run.length < least:
                    keep[run.start : run.stop] = False
        split.kept.extend(_shifted(run, span.start) for run in runs(keep))
        for run in runs(~keep):
            split.rejected.extend(_blame(_shifted(run, span.start), checks))
    return split


def drop_short(spans: Sequence[Span], least: int, fps: float) -> Split:
    """Keep the spans of at least a number of frames."""
    split = Split([], [])
    for span in spans:
        if span.length >= least:
            split.kept.append(span)
        else:
            split.rejected.append(Rejection(span, "too short", span.length / fps, least / fps))
    return split


def cut_to_length(spans: Sequence[Span], length: int, fps: float) -> Split:
    """Cut spans into clips of one length, from the middle, so that what is left over lies at both ends."""
    split = Split([], [])
    for span in spans:
        count = span.length // length
        first = span.start + (span.length - count * length) // 2 if count else span.stop
        split.kept.extend(Span(first + k * length, first + (k + 1) * length) for k in range(count))
        for rest in (Span(span.start, first), Span(first + count * length, span.stop)):
            if rest.length:
                split.rejected.append(Rejection(rest, "remainder", rest.length / fps, length / fps))
    return split


def cut_long(spans: Sequence[Span], most: int) -> list[Span]:
    """Spans with those of more than `most` frames cut into equal parts."""
    parts = []
    for span in spans:
        count = -(-span.length // most)
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
    return [_shifted(run, whole.start) for run in runs(missing)]


def _blame(span: Span, checks: Sequence[Check]) -> Iterator[Rejection]:
    """One rejection for a dropped span, for the check that fails there most often."""
    failing = [int((~check.good[span.start : span.stop]).sum()) for check in checks]
    check = checks[failing.index(max(failing))]
    yield Rejection(span, check.reason, check.worst(span), check.limit)


def _bridge(good: Tensor, forgiven: int) -> Tensor:
    """Short bad stretches between good ones made good."""
    bridged = good.clone()
    for run in runs(~good):
        if run.start > 0 and run.stop < len(good) and run.length <= forgiven:
            bridged[run.start : run.stop] = True
    return bridged


def _shifted(span: Span, by: int) -> Span:
    return Span(span.start + by, span.stop + by)
