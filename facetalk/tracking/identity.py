"""Who it is: identity coefficients from a handful of frames, together with their poses and channels."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.tracking.energy import FaceEnergy, Observation, State
from facetalk.tracking.refine import refine


def pick_frames(confidence: Float[Tensor, " frames"], rotation: Float[Tensor, "frames 3"], count: int) -> Tensor:
    """Frames to learn the identity from: seen, evenly spread in time, rather from the front."""
    good = (confidence > 0.5).nonzero()[:, 0]
    if len(good) == 0:
        # A face that only flashes up is nowhere seen on both sides of a frame.
        good = torch.arange(len(confidence))
    turned = rotation[good].norm(dim=-1)
    good = good[turned <= turned.median() + 0.35]
    picks = torch.linspace(0, len(good) - 1, min(count, len(good))).round().long()
    return good[picks]


def fit_identity(
    energy: FaceEnergy, seen: Observation, state: State, rounds: int, start: Float[Tensor, " n_betas"] | None = None
) -> tuple[Float[Tensor, " n_betas"], State]:
    """Identity shared by some frames, and the frames' own states.

    Poses and channels are solved with the identity fixed; then the identity moves with poses and inner channels free
    to follow (their best response is eliminated: a Schur complement), and so on. The prior N(0, 1) is weighed against
    the mean over frames, because the errors of one person's frames are alike: a clip of one second and one of an hour
    are pulled equally. It begins at `start`, the mean person if not given.
    """
    basis = energy.basis
    betas = basis.template.new_zeros(len(basis.identity_dirs)) if start is None else start
    gaze = state.channels.new_zeros(len(state.channels), 8)
    hessian = None
    for round_index in range(rounds):
        rest = basis.rest(betas, gaze)
        iterations = 4 if round_index == 0 else 1
        state, _ = refine(energy, rest, seen, state, iterations=iterations, smooth=False, hessian=hessian)
        equations = _joint_equations(energy, rest, seen, state)
        betas, hessian = _identity_step(energy, equations, state, betas), equations.hessian
    rest = basis.rest(betas, gaze)
    return betas, refine(energy, rest, seen, state, iterations=3, smooth=False, hessian=hessian).state


def personal_offsets(
    energy: FaceEnergy, betas: Float[Tensor, " n_betas"], seen: Observation, state: State
) -> Float[Tensor, "points 3"]:
    """How one person's points lie beside the fitted head's in the mean over frames, in the head's frame, metres."""
    basis = energy.basis
    rest = basis.rest(betas, state.channels.new_zeros(len(state.channels), 8))
    turn = axis_angle_to_matrix(state.rotation) @ seen.reference
    points = energy.posed(rest, state) @ turn.transpose(1, 2) + state.place[:, None]
    distance = -points[..., 2:]
    beside = seen.image_points * distance / seen.focal_px - points[..., :2]
    across = torch.nn.functional.pad(beside, (0, 1)) @ turn
    weights = seen.weights[..., None]
    return (weights * across).sum(0) / weights.sum(0).clamp_min(1e-6)


class JointEquations(NamedTuple):
    """Frame and identity blocks of the normal equations."""

    hessian: Float[Tensor, "frames n n"]
    gradient: Float[Tensor, "frames n"]
    cross: Float[Tensor, "frames n n_betas"]
    own: Float[Tensor, "n_betas n_betas"]
    """Mean over frames."""
    slope: Float[Tensor, " n_betas"]
    """Mean over frames."""


def _identity_step(energy: FaceEnergy, equations: JointEquations, state: State, betas: Tensor) -> Tensor:
    hessian, gradient, cross, own, slope = (value.double() for value in equations)
    held = torch.zeros_like(gradient, dtype=torch.bool)
    values = state.flat()
    held[:, 6:] = (values[:, 6:] <= 1e-4) & (gradient[:, 6:] > 0) | (values[:, 6:] >= 1 - 1e-4) & (gradient[:, 6:] < 0)
    free = (~held).to(hessian)
    hessian = hessian * free[:, :, None] * free[:, None] + torch.diag_embed(1 - free)
    # A little stiffness keeps an identity step from being wholly undone by channels.
    diagonal = torch.diagonal(hessian, dim1=1, dim2=2)
    hessian = hessian + 1e-3 * torch.diag_embed(diagonal)
    cross, gradient = cross * free[:, :, None], gradient * free
    answer = torch.linalg.solve(hessian, torch.cat([cross, gradient[..., None]], -1))
    reduced = own - (cross.transpose(1, 2) @ answer[..., :-1]).mean(0)
    pull = slope - (cross.transpose(1, 2) @ answer[..., -1:]).squeeze(-1).mean(0)
    weight = energy.settings.betas_weight
    eye = torch.eye(len(betas), dtype=reduced.dtype)
    step = torch.linalg.solve(reduced + weight * eye, -(pull + weight * betas.double()))
    return (betas.double() + step).clamp(-3, 3).to(betas)


def _joint_equations(energy: FaceEnergy, rest: Tensor, seen: Observation, state: State) -> JointEquations:
    basis = energy.basis
    terms = energy.point_terms(rest, state, seen)
    equations = energy.equations(terms, state)
    first, second = basis.pairs.unbind(1)
    dirs = basis.identity_dirs
    dirs = torch.cat([dirs, dirs[:, first] - dirs[:, second]], 1)
    frames = len(rest)
    weighted = _by_identity(terms.inner, dirs)
    pose = (dirs.flatten(1) @ terms.mixed.flatten(2).flatten(0, 1)).unflatten(1, (frames, 6)).permute(1, 2, 0)
    channels = (basis.row_dirs.flatten(1) @ weighted.flatten(1)).unflatten(1, (frames, -1)).transpose(0, 1)
    own = dirs.flatten(1) @ weighted.sum(1)
    slope = basis.identity_dirs.flatten(1) @ terms.pull.sum(0).flatten()
    common = terms.common_points.flatten(1)
    by_betas = common @ basis.identity_dirs.flatten(1).T
    by_frame = torch.cat([terms.common_pose, common @ basis.expression_dirs.flatten(1).T], 1)
    cross = torch.cat([pose, channels], 1) - by_frame[:, :, None] * by_betas[:, None]
    own = (own - by_betas.T @ by_betas) / frames
    return JointEquations(equations.hessian, equations.gradient, cross, own, slope / frames)


def _by_identity(
    inner: Float[Tensor, "frames rows 6"], dirs: Float[Tensor, "n_betas rows 3"]
) -> Float[Tensor, "coordinates frames n_betas"]:
    """Each row's symmetric matrix times what the identities do to the row; rows and their axes share the first axis."""
    whole = inner[..., [0, 3, 4, 3, 1, 5, 4, 5, 2]].unflatten(2, (3, 3))
    stacked = whole.permute(1, 2, 0, 3).flatten(1, 2) @ dirs.permute(1, 2, 0)
    return stacked.unflatten(1, (3, len(inner))).flatten(0, 1)
