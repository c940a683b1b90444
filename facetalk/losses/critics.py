"""Losses around critics and style codes (METHODS 3.6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST = 1e-4
"""Probabilities below this count as this: their logarithm would drown the rest."""


def sync_error(likeness: Float[Tensor, "batch frames"], weight: Float[Tensor, "batch frames"]) -> Float[Tensor, ""]:
    """Mean of -log of the probability that mouth and speech belong together."""
    error = -likeness.clamp_min(SMALLEST).log()
    return (error * weight).sum() / weight.sum().clamp_min(1e-8)


def match_error(likeness: Float[Tensor, " pairs"], matching: Float[Tensor, " pairs"]) -> Float[Tensor, ""]:
    """Binary cross entropy of likenesses; `matching` is 1 where mouth and speech belong together, else 0."""
    probability = likeness.clamp(SMALLEST, 1 - SMALLEST)
    return -(matching * probability.log() + (1 - matching) * (1 - probability).log()).mean()


def hinge_error(real: Float[Tensor, "batch patches"], made: Float[Tensor, "batch patches"]) -> Float[Tensor, ""]:
    """What the temporal critic minimises: real motion above 1, made motion below -1."""
    return (1 - real).relu().mean() + (1 + made).relu().mean()


def triplet_error(
    codes: Float[Tensor, "batch style"],
    same: Float[Tensor, "batch style"],
    styles: Sequence[str],
    margin: float,
) -> Float[Tensor, ""]:
    """How far a code is from another code of its style, compared with the nearest code of another style.

    Args:
        codes: one code for each clip.
        same: codes of other frames in the same styles.
        styles: the style of each row.
        margin: by how much other styles should be further away.
    """
    other = torch.tensor([[a != b for b in styles] for a in styles], device=codes.device)
    if not bool(other.any()):
        return codes.new_zeros(())
    distance = torch.cdist(codes, same)
    near = distance.diagonal()
    far = distance.masked_fill(~other, torch.inf).amin(1)
    counted = other.any(1)
    return (near - far + margin).relu()[counted].mean()
