"""Losses of the speech encoder."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

MIN_ROWS = 15
"""Fewer known values of a clip, over all curves, have no meaningful correlation."""


def mouth_disagreement(
    predicted: Float[Tensor, "batch frames curves"],
    target: Float[Tensor, "batch frames curves"],
    known: Float[Tensor, "batch frames"],
    weight: Float[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """One minus the correlation over time, plus a little squared error so that the amplitude is learned too.

    Args:
        predicted: mouth curves.
        target: measured curves, z-scored per clip.
        known: 1 where the target is known, else 0.
        weight: how much each example counts.
    """
    mask = known[..., None]
    count = mask.sum(1, keepdim=True).clamp_min(1)
    first, second = ((x - (x * mask).sum(1, keepdim=True) / count) * mask for x in (predicted, target))
    norms = (first.square().sum(1) * second.square().sum(1) + 1e-3).sqrt()
    correlation = (first * second).sum(1) / norms
    error = ((predicted - target).square() * mask).sum(1) / count[:, 0]
    weight = weight * (mask.sum((1, 2)) > MIN_ROWS)
    return ((1 - correlation + 0.3 * error).mean(-1) * weight).sum() / weight.sum().clamp_min(1)
