"""Losses on behavior over time: trajectories, and least-squares scores of a critic."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

LEAST_POWER = 1e-4
"""Added to spectra of states with unit variance: what is below is invisible."""


def trajectory_error(
    first: Float[Tensor, "batch frames states"],
    second: Float[Tensor, "batch frames states"],
    target: Float[Tensor, "batch frames states"],
    weight: Float[Tensor, "batch frames"],
    motion: float,
) -> Float[Tensor, ""]:
    """Squared error of the mean of random trajectories and, with a weight, of its differences (FACIAL, eq. 4 to 6).

    The product of the errors of two independent samples has the squared error of their mean as its expectation. The
    squared error of a sample would also count how far it moves at random, and be least for one that stands still.

    Args:
        first: generated.
        second: generated from the same speech and state with other noise.
        target: real.
        weight: of each frame; a difference counts where both of its frames do.
        motion: weight of the differences.
    """
    errors = (first - target, second - target)
    both = weight[:, 1:] * weight[:, :-1]
    still = (errors[0] * errors[1]).sum(2) * weight
    moving = (errors[0].diff(dim=1) * errors[1].diff(dim=1)).sum(2) * both
    return still.sum() / weight.sum().clamp_min(1) + motion * moving.sum() / both.sum().clamp_min(1)


def power(states: Float[Tensor, "batch frames states"]) -> Float[Tensor, "bins states"]:
    """Mean power spectrum of windows of behavior around their mean."""
    window = torch.hann_window(states.shape[1], device=states.device, dtype=states.dtype)[:, None]
    centered = (states - states.mean(1, keepdim=True)) * window
    return torch.fft.rfft(centered, dim=1)[:, 1:].abs().square().mean(0) / window.square().sum()


def spectrum_error(
    states: Float[Tensor, "batch frames states"], usual: Float[Tensor, "bins states"]
) -> Float[Tensor, ""]:
    """Mean squared difference of the logarithm of the power of generated windows from the usual one.

    Args:
        states: generated.
        usual: power of real behavior, see `power`.
    """
    return ((power(states) + LEAST_POWER).log() - (usual + LEAST_POWER).log()).square().mean()


def least_squares_error(scores: Float[Tensor, "*batch"], wanted: float) -> Float[Tensor, ""]:
    """Mean squared distance of a critic's scores from the wanted one (Mao et al. 2017)."""
    return (scores - wanted).square().mean()
