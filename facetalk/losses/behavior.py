"""Losses on behavior over time: trajectories, and least-squares scores of a critic."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def trajectory_error(
    states: Float[Tensor, "batch frames states"],
    target: Float[Tensor, "batch frames states"],
    weight: Float[Tensor, "batch frames"],
    motion: float,
) -> Float[Tensor, " batch"]:
    """Mean squared error of states and, with a weight, of their differences (FACIAL, equations 4 to 6).

    Args:
        states: generated.
        target: real.
        weight: of each frame; a difference counts where both of its frames do.
        motion: weight of the differences.
    """
    error = states - target
    both = weight[:, 1:] * weight[:, :-1]
    still = (error.square().sum(2) * weight).sum(1) / weight.sum(1).clamp_min(1)
    moving = (error.diff(dim=1).square().sum(2) * both).sum(1) / both.sum(1).clamp_min(1)
    return still + motion * moving


def least_squares_error(scores: Float[Tensor, "*batch"], wanted: float) -> Float[Tensor, ""]:
    """Mean squared distance of a critic's scores from the wanted one (Mao et al. 2017)."""
    return (scores - wanted).square().mean()
