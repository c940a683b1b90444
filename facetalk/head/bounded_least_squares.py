"""Bounded linear least squares over time with a cost on change."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Smoothness:
    """Costs that regularize the solution, relative to a residual of 1."""

    step: float = 0.02
    """Squared cost of a control that changes by 1 from frame to frame."""
    pull: float = 0.005
    """Squared cost of a control at 1; decides between controls with the same effect."""
    sweeps: int = 500
    tolerance: float = 1e-5


def bounded_over_time(
    directions: Float[Tensor, "controls width"],
    wanted: Float[Tensor, "frames width"],
    bounds: Float[Tensor, "controls 2"],
    smoothness: Smoothness,
    prior: Float[Tensor, " controls"] | None = None,
) -> Float[Tensor, "frames controls"]:
    """Minimize `|x A - b|^2 + prior x^2 + step |x(t) - x(t-1)|^2` within bounds.

    Args:
        directions: `A`, the effect of each control, float64 like all tensors here.
        wanted: `b`.
        bounds: smallest and largest value of each control.
        smoothness: costs of change and size.
        prior: cost of each control, in addition to `smoothness.pull`.
    """
    from facetalk.head.bounded_kernel import sweep_bounded  # numba loads here

    inner, linear = directions @ directions.T, wanted @ directions.T
    extra = torch.full((len(inner),), smoothness.pull, dtype=torch.float64)
    extra = extra if prior is None else extra + prior
    step = smoothness.step * extra / smoothness.pull
    # Start at the unbounded solution without temporal terms, which is close to the bounded one.
    start = torch.linalg.solve(inner + torch.diag(extra), linear.T).T
    x = start.clamp(bounds[:, 0], bounds[:, 1]).contiguous().numpy()
    lower, upper = bounds.T.contiguous().numpy()
    sweep_bounded(
        inner.numpy(),
        linear.numpy(),
        extra.numpy(),
        step.numpy(),
        lower,
        upper,
        x,
        smoothness.sweeps,
        smoothness.tolerance,
    )
    return torch.from_numpy(x)
