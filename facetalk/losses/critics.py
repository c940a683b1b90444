"""Losses of critics and style codes (StyleTalk, Ma et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST = 1e-4
"""Lower bound on probabilities, whose logarithm would otherwise dominate the loss."""


def sync_error(similarity: Float[Tensor, "batch frames"], weight: Float[Tensor, "batch frames"]) -> Float[Tensor, ""]:
    """Mean of -log of the probability that mouth and speech belong together."""
    error = -similarity.clamp_min(SMALLEST).log()
    return (error * weight).sum() / weight.sum().clamp_min(1e-8)


def match_error(similarity: Float[Tensor, " pairs"], matching: Float[Tensor, " pairs"]) -> Float[Tensor, ""]:
    """Binary cross entropy of similarities; `matching` is 1 where mouth and speech belong together, else 0."""
    probability = similarity.clamp(SMALLEST, 1 - SMALLEST)
    return -(matching * probability.log() + (1 - matching) * (1 - probability).log()).mean()


def hinge_error(real: Float[Tensor, "batch patches"], generated: Float[Tensor, "batch patches"]) -> Float[Tensor, ""]:
    """Hinge loss of the temporal critic: real motion above 1, generated motion below -1."""
    return (1 - real).relu().mean() + (1 + generated).relu().mean()


def triplet_error(
    codes: Float[Tensor, "batch style"],
    same: Float[Tensor, "batch style"],
    styles: Sequence[str],
    margin: float,
) -> Float[Tensor, ""]:
    """Triplet loss: distance to another code of the same style, compared with the nearest code of another style.

    Args:
        codes: one code per clip.
        same: codes of other frames in the same styles.
        styles: the style of each row.
        margin: by how much other styles should be farther away.
    """
    other = torch.tensor([[a != b for b in styles] for a in styles], device=codes.device)
    if not bool(other.any()):
        return codes.new_zeros(())
    distance = torch.cdist(codes, same)
    near = distance.diagonal()
    far = distance.masked_fill(~other, torch.inf).amin(1)
    counted = other.any(1)
    return (near - far + margin).relu()[counted].mean()
