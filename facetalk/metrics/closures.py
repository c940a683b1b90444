"""Closures of the lips: found where they belong, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.core.spans import runs

CLOSED: Mapping[str, float] = {"mm": 1.0, "iod": 0.02}
"""Lips count as closed if their gap is at most this much wider than at rest, by unit."""

_CLOSED_SHARE = 0.02
"""Quantile of the gap of a clip that stands for lips at rest."""

TOLERANCE_FRAMES = 1
"""A closure may come this much before or after the phoneme."""


def rest_opening(gap: Float[Tensor, " frames"]) -> float:
    """The gap between the lips at rest, from that of a clip in which they close now and then."""
    return float(gap.quantile(_CLOSED_SHARE))


def count_closures(
    bilabial: Bool[Tensor, " frames"],
    gap: Float[Tensor, " frames"],
    true_gap: Float[Tensor, " frames"],
    unit: str = "mm",
) -> Mapping[str, int]:
    """Count lip closures.

    Args:
        bilabial: whether a P, B or M is spoken.
        gap: between the predicted lips, more than at rest.
        true_gap: between the true ones.
        unit: of the gaps, `mm` or `iod`.

    Returns:
        `true`: P, B and M during which the true lips meet; `found`: those of them during which the predicted lips meet
        too. `ours`: closures of the predicted lips; `right`: those of them during which the true lips meet.
    """
    limit = CLOSED[unit]
    counts = {"true": 0, "found": 0, "ours": 0, "right": 0}
    for start, stop in runs(bilabial):
        around = slice(max(0, start - TOLERANCE_FRAMES), stop + TOLERANCE_FRAMES)
        truly, predicted = (bool((curve[around] <= limit).any()) for curve in (true_gap, gap))
        counts["true"] += truly
        counts["found"] += truly and predicted
    for start, stop in runs(gap <= limit):
        counts["ours"] += 1
        around = slice(max(0, start - TOLERANCE_FRAMES), stop + TOLERANCE_FRAMES)
        counts["right"] += bool((true_gap[around] <= limit).any())
    return counts
