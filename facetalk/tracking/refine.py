"""Gauss-Newton over a window of frames: linearize, solve the bounded problem with smoothness, repeat."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.tracking.bounded_solver import solve_bounded
from facetalk.tracking.energy import FaceEnergy, Observation, Slope, State

_SWEEPS = 60
_TOLERANCE = 1e-3
_SMALLEST_STEP = 0.1
_FIRST_DAMPING = 1e-5
_HESSIAN_STEPS = 2
"""Steps for which one second derivative is used."""


class Refined(NamedTuple):
    """A state, and the second derivative near it for the next `refine`."""

    state: State
    hessian: Float[Tensor, "frames n n"]
    """Of `NormalEquations`, one or two steps before."""


def refine(
    energy: FaceEnergy,
    rest: Float[Tensor, "frames points 3"],
    seen: Observation,
    state: State,
    *,
    iterations: int,
    smooth: bool = True,
    hessian: Float[Tensor, "frames n n"] | None = None,
) -> Refined:
    """The state that fits the points best, from a nearby one.

    Args:
        energy: terms of one frame.
        rest: the points before expression, see `FaceBasis.rest`.
        seen: the detected points.
        state: where to start.
        iterations: Gauss-Newton steps.
        smooth: whether frames are consecutive in time; else each is fitted on its own.
        hessian: known from a nearby state. Second derivatives are most of the work and hardly change from step to step,
            so they are computed at every second step only; the gradient, which determines the result, is exact.
    """
    damping = _FIRST_DAMPING
    slope = energy.slope(rest, state, seen)
    age = 1
    for _ in range(iterations):
        if hessian is None or age == _HESSIAN_STEPS:
            hessian, age = energy.linearize(rest, state, seen).hessian, 0
        found = _descent(energy, rest, seen, state, slope, hessian, damping, smooth)
        if age > 0 and (found is None or found.share < 1):
            # The old second derivative may be the reason.
            hessian, age = energy.linearize(rest, state, seen).hessian, 0
            found = _descent(energy, rest, seen, state, slope, hessian, damping, smooth)
        if found is None:
            break
        state, slope, damping, age = found.state, found.slope, max(found.damping * 0.3, 1e-6), age + 1
    assert hessian is not None
    return Refined(state, hessian)


class _Descent(NamedTuple):
    state: State
    slope: Slope
    damping: float
    share: float
    """Accepted part of the step."""


def _descent(
    energy: FaceEnergy,
    rest: Tensor,
    seen: Observation,
    state: State,
    slope: Slope,
    hessian: Tensor,
    damping: float,
    smooth: bool,
) -> _Descent | None:
    """A state of lower energy, if the second-order model leads to one."""
    values = state.flat()
    jerk = jerk_weights(energy, values) if smooth else torch.zeros_like(values)
    total = slope.cost.sum() + _bending(values, jerk)
    diagonal = torch.diagonal(hessian, dim1=1, dim2=2)
    lower, upper = bounds(energy, state)
    wanted = solve_bounded(
        (hessian + damping * torch.diag_embed(diagonal)).numpy(),
        slope.gradient.numpy(),
        values.numpy(),
        lower.numpy(),
        upper.numpy(),
        jerk.numpy(),
        _SWEEPS,
        _TOLERANCE,
    )
    step = torch.from_numpy(wanted).to(values) - values
    share = 1.0
    while share >= _SMALLEST_STEP:
        candidate = State.of(values + share * step)
        tried = energy.slope(rest, candidate, seen)
        if tried.cost.sum() + _bending(candidate.flat(), jerk) <= total * 1.001:
            return _Descent(candidate, tried, damping, share)
        share *= 0.4
        damping *= 10
    return None


def bounds(energy: FaceEnergy, state: State) -> tuple[Tensor, Tensor]:
    """Lower and upper bound of every variable: channels lie in [0, 1].

    `mouthClose` closes the lips over an open jaw, so it is bounded by `jawOpen`.
    """
    values = state.flat()
    lower, upper = torch.zeros_like(values), torch.ones_like(values)
    lower[:, :6], upper[:, :6] = -torch.inf, torch.inf
    names = energy.basis.free_names
    if "mouthClose" in names and "jawOpen" in names:
        close = names.index("mouthClose")
        jaw = state.channels[:, names.index("jawOpen")]
        upper[:, 6 + close] = torch.maximum(jaw, state.channels[:, close])
    return lower, upper


def jerk_weights(energy: FaceEnergy, values: Float[Tensor, "frames n"]) -> Float[Tensor, "frames n"]:
    """Weight of the second difference centerd on each frame.

    A channel whose second difference is much larger than noise is really moving (a blink, a plosive) and gets a low
    weight; the pose keeps its full weight.
    """
    settings = energy.settings
    pose = torch.tensor(settings.pose_jerk, dtype=values.dtype)
    weights = torch.zeros_like(values)
    weights[:, :6] = 1 / pose**2
    bend = torch.zeros_like(values[:, 6:])
    if len(values) > 2:
        bend[1:-1] = values[2:, 6:] - 2 * values[1:-1, 6:] + values[:-2, 6:]
    square = settings.channel_jerk**2
    weights[:, 6:] = 1 / (square + bend**2)
    return weights


def _bending(values: Tensor, jerk: Tensor) -> Tensor:
    if len(values) < 3:
        return values.new_zeros(())
    bend = values[2:] - 2 * values[1:-1] + values[:-2]
    return 0.5 * (jerk[1:-1] * bend**2).sum()
