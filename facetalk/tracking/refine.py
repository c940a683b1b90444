"""Gauss-Newton over a window of frames: linearise, solve the bounded problem with smoothness, repeat."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.tracking.bounded_solver import solve_bounded
from facetalk.tracking.energy import FaceEnergy, Observation, State

_SWEEPS = 60
_TOLERANCE = 1e-3
_SMALLEST_STEP = 0.1
_FIRST_DAMPING = 1e-5


def refine(
    energy: FaceEnergy,
    rest: Float[Tensor, "frames points 3"],
    seen: Observation,
    state: State,
    *,
    iterations: int,
    smooth: bool = True,
) -> State:
    """The state that explains the points best, from a nearby one.

    Args:
        energy: terms of one frame.
        rest: the points before expression, see `FaceBasis.rest`.
        seen: the detector's points.
        state: where to start.
        iterations: Gauss-Newton steps.
        smooth: frames are consecutive in time; else each stands alone.
    """
    damping = _FIRST_DAMPING
    equations = energy.linearise(rest, state, seen)
    for _ in range(iterations):
        values = state.flat()
        jerk = jerk_weights(energy, values) if smooth else torch.zeros_like(values)
        total = equations.cost.sum() + _bending(values, jerk)
        hessian = equations.hessian
        diagonal = torch.diagonal(hessian, dim1=1, dim2=2)
        lower, upper = bounds(energy, state)
        wanted = solve_bounded(
            (hessian + damping * torch.diag_embed(diagonal)).numpy(),
            equations.gradient.numpy(),
            values.numpy(),
            lower.numpy(),
            upper.numpy(),
            jerk.numpy(),
            _SWEEPS,
            _TOLERANCE,
        )
        step = torch.from_numpy(wanted).to(values) - values
        share = 1.0
        while True:
            candidate = State.of(values + share * step)
            tried = energy.linearise(rest, candidate, seen)
            if tried.cost.sum() + _bending(candidate.flat(), jerk) <= total * 1.001:
                break
            share *= 0.4
            damping *= 10
            if share < _SMALLEST_STEP:
                return state
        state, equations, damping = candidate, tried, max(damping * 0.3, 1e-6)
    return state


def bounds(energy: FaceEnergy, state: State) -> tuple[Tensor, Tensor]:
    """Smallest and largest value of every variable: channels lie in [0, 1].

    `mouthClose` brings lips together over an open jaw, so it goes no further than `jawOpen`.
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
    """Weight of the second difference centred on each frame.

    A channel that bends much more than noise does is moving in earnest (a blink, a plosive) and is let go; the pose
    keeps its full weight.
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
