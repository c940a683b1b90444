"""From the probability of laughter in each frame to laughs with a start and an end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.spans import Span, runs
from facetalk.core.timing import FPS
from facetalk.data.curation.settings import LaughterRules
from facetalk.data.curation.spans import Rejection, Split


def find_laughs(probability: Float[Tensor, " frames"], rules: LaughterRules) -> list[Span]:
    """Spans of likely frames, with short gaps closed and short spans dropped."""
    likely = probability > rules.min_probability
    for gap in list(runs(~likely)):
        inside = gap.start > 0 and gap.stop < len(likely)
        if inside and gap.length <= rules.max_gap_s * FPS:
            likely[gap.start : gap.stop] = True
    return [run for run in runs(likely) if run.length >= rules.min_burst_s * FPS]


def laughs_at(times: Iterable[tuple[float, float]], num_frames: int) -> list[Span]:
    """Laughs given by start and end in seconds as spans of frames; overlapping ones are joined."""
    mask = torch.zeros(num_frames, dtype=torch.bool)
    for start_s, end_s in times:
        mask[max(0, round(start_s * FPS)) : max(0, round(end_s * FPS))] = True
    return list(runs(mask))


def laughter_in(span: Span, laughs: Sequence[Span]) -> float:
    """Seconds of laughter inside a span."""
    return sum(max(0, min(span.stop, laugh.stop) - max(span.start, laugh.start)) for laugh in laughs) / FPS


def choose_by_laughter(spans: Sequence[Span], laughs: Sequence[Span], rules: LaughterRules) -> Split:
    """Keep the spans that the mode selects."""
    split = Split([], [])
    for span in spans:
        total_s = laughter_in(span, laughs)
        if rules.mode == "only" and total_s < rules.min_total_s:
            split.rejected.append(Rejection(span, "too little laughter", total_s, rules.min_total_s))
        elif rules.mode == "none" and total_s > 0:
            split.rejected.append(Rejection(span, "laughter", total_s, 0.0))
        else:
            split.kept.append(span)
    return split
