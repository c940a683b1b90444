"""Identity and focal length: what all frames share, solved together with the poses and channels of several frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.tracking.energy import FaceEnergy, Observation, PointTerms, State
from facetalk.tracking.face_basis import FaceBasis
from facetalk.tracking.lens import lens_terms
from facetalk.tracking.refine import refine

_LENS_STEP = 0.3
"""Largest step of the focal length's logarithm in one round."""


def pick_frames(confidence: Float[Tensor, " frames"], rotation: Float[Tensor, "frames 3"], count: int) -> Tensor:
    """Frames for estimating the identity: with a face, evenly spread in time, mostly frontal."""
    good = (confidence > 0.5).nonzero()[:, 0]
    if len(good) == 0:
        # A face that appears only briefly has no frame with a face on both sides.
        good = torch.arange(len(confidence))
    turned = rotation[good].norm(dim=-1)
    good = good[turned <= turned.median() + 0.35]
    picks = torch.linspace(0, len(good) - 1, min(count, len(good))).round().long()
    return good[picks]


@dataclass(frozen=True, eq=False)
class Person:
    """Identity and focal length of several frames, with their states."""

    betas: Float[Tensor, " n_betas"]
    seen: Observation
    """With the focal length that was found."""
    state: State


def fit_identity(
    energy: FaceEnergy,
    seen: Observation,
    state: State,
    rounds: int,
    usual_focal_px: float,
    start: Float[Tensor, " n_betas"] | None = None,
) -> Person:
    """Identity and focal length shared by some frames, and the frames' own states.

    Poses and channels are solved with both fixed; then identity and focal length, with poses and channels inside their
    bounds eliminated (Schur complement); and so on. The priors, N(0, 1) and a log-normal one, are weighted against the
    mean over frames, because the errors of one person's frames are similar: they affect a clip of one second and one of
    an hour equally.

    Args:
        energy: of a frame.
        seen: the frames, with the initial focal length.
        state: initial state of the frames.
        rounds: number of alternations.
        usual_focal_px: center of the focal length's prior.
        start: initial identity; the mean person if None.
    """
    basis = energy.basis
    betas = basis.template.new_zeros(len(basis.identity_dirs)) if start is None else start
    gaze = state.channels.new_zeros(len(state.channels), 8)
    hessian = None
    shared = torch.cat([betas, betas.new_tensor([math.log(seen.focal_px / usual_focal_px)])]).double()
    for number in range(rounds):
        rest = basis.rest(shared[:-1].to(betas), gaze)
        iterations = 4 if number == 0 else 1
        state, _ = refine(energy, rest, seen, state, iterations=iterations, smooth=False, hessian=hessian)
        equations = joint_equations(energy, rest, seen, state)
        shared, hessian = _shared_step(energy, equations, state, shared), equations.hessian
        seen, state = through_lens(seen, state, usual_focal_px * math.exp(float(shared[-1])))
    betas = shared[:-1].to(betas)
    rest = basis.rest(betas, gaze)
    return Person(betas, seen, refine(energy, rest, seen, state, iterations=3, smooth=False, hessian=hessian).state)


def through_lens(seen: Observation, state: State, focal_px: float) -> tuple[Observation, State]:
    """The frames with another focal length, and the head at the distance that keeps its size."""
    longer = state.position.new_tensor([1, 1, focal_px / seen.focal_px])
    return replace(seen, focal_px=focal_px), replace(state, position=state.position * longer)


def personal_offsets(
    energy: FaceEnergy, betas: Float[Tensor, " n_betas"], seen: Observation, state: State
) -> Float[Tensor, "points 3"]:
    """Mean offset over frames of a person's points from those of the fitted head, in the head's frame, meters."""
    basis = energy.basis
    rest = basis.rest(betas, state.channels.new_zeros(len(state.channels), 8))
    turn = axis_angle_to_matrix(state.rotation) @ seen.reference
    points = energy.posed(rest, state) @ turn.transpose(1, 2) + state.position[:, None]
    distance = -points[..., 2:]
    offset = seen.image_points * distance / seen.focal_px - points[..., :2]
    across = torch.nn.functional.pad(offset, (0, 1)) @ turn
    weights = seen.weights[..., None]
    return (weights * across).sum(0) / weights.sum(0).clamp_min(1e-6)


class JointEquations(NamedTuple):
    """Frame and shared blocks of the normal equations.

    The shared unknowns are the identity and the logarithm of the focal length.
    """

    hessian: Float[Tensor, "frames n n"]
    gradient: Float[Tensor, "frames n"]
    cross: Float[Tensor, "frames n shared"]
    own: Float[Tensor, "shared shared"]
    """Mean over frames."""
    slope: Float[Tensor, " shared"]
    """Mean over frames."""


def _shared_step(
    energy: FaceEnergy, equations: JointEquations, state: State, shared: Float[Tensor, " shared"]
) -> Float[Tensor, " shared"]:
    """Updated identity and logarithm of the focal length relative to its usual value."""
    hessian, gradient, cross, own, slope = (value.double() for value in equations)
    held = torch.zeros_like(gradient, dtype=torch.bool)
    values = state.flat()
    held[:, 6:] = (values[:, 6:] <= 1e-4) & (gradient[:, 6:] > 0) | (values[:, 6:] >= 1 - 1e-4) & (gradient[:, 6:] < 0)
    free = (~held).to(hessian)
    hessian = hessian * free[:, :, None] * free[:, None] + torch.diag_embed(1 - free)
    # A little damping keeps the channels from canceling an identity step completely.
    diagonal = torch.diagonal(hessian, dim1=1, dim2=2)
    hessian = hessian + 1e-3 * torch.diag_embed(diagonal)
    cross, gradient = cross * free[:, :, None], gradient * free
    answer = torch.linalg.solve(hessian, torch.cat([cross, gradient[..., None]], -1))
    reduced = own - (cross.transpose(1, 2) @ answer[..., :-1]).mean(0)
    pull = slope - (cross.transpose(1, 2) @ answer[..., -1:]).squeeze(-1).mean(0)
    settings = energy.settings
    prior = torch.full_like(shared, settings.betas_weight)
    prior[-1] = settings.focal_weight / settings.focal_spread**2
    step = -torch.linalg.solve(reduced + torch.diag(prior), pull + prior * shared)
    # The frames follow a step of the focal length to first order only.
    step[-1] = step[-1].clamp(-_LENS_STEP, _LENS_STEP)
    limit = torch.full_like(shared, 3.0)
    return (shared + step).clamp(-limit, limit)


def joint_equations(
    energy: FaceEnergy, rest: Float[Tensor, "frames points 3"], seen: Observation, state: State
) -> JointEquations:
    """The equations at a state, without the shared unknowns' priors; arguments as for `FaceEnergy.linearize`."""
    basis = energy.basis
    terms = energy.point_terms(rest, state, seen)
    equations = energy.equations(terms, state)
    frames = len(rest)
    by_betas, by_channels = basis.identity_dirs.flatten(1).T, basis.expression_dirs.flatten(1).T
    weighted = _by_identity(terms, basis)
    pose = (by_betas.T @ terms.mixed.flatten(2).flatten(0, 1)).unflatten(1, (frames, 6)).permute(1, 2, 0)
    channels = (by_channels.T @ weighted.flatten(1)).unflatten(1, (frames, -1)).transpose(0, 1)
    common = terms.common_points.flatten(1)
    common_betas = common @ by_betas
    common_frame = torch.cat([terms.common_pose, common @ by_channels], 1)
    cross = torch.cat([pose, channels], 1) - common_frame[:, :, None] * common_betas[:, None]
    own = by_betas.T @ weighted.sum(1) - common_betas.T @ common_betas
    slope = terms.pull.sum(0).flatten() @ by_betas
    # The focal length adds a row and a column.
    lens = lens_terms(energy, rest, state, seen)
    pulled = lens.pull.flatten(1)
    cross = torch.cat([cross, torch.cat([lens.pose, pulled @ by_channels], 1)[..., None]], 2)
    corner, edge = lens.own.sum()[None], pulled.sum(0) @ by_betas
    own = torch.cat([torch.cat([own, edge[:, None]], 1), torch.cat([edge, corner])[None]])
    slope = torch.cat([slope, lens.slope.sum()[None]])
    return JointEquations(equations.hessian, equations.gradient, cross, own / frames, slope / frames)


def _by_identity(terms: PointTerms, basis: FaceBasis) -> Float[Tensor, "coordinates frames n_betas"]:
    """Second derivatives by each point's position times the identity displacements.

    Points and their three coordinates share the first axis.
    """
    dirs = basis.identity_dirs.permute(1, 2, 0)
    own = terms.inner[..., [0, 3, 4, 3, 1, 5, 4, 5, 2]].unflatten(2, (3, 3)).permute(1, 2, 0, 3)
    weighted = own.flatten(1, 2) @ dirs
    first, second = basis.pairs.unbind(1)
    between = terms.between.unflatten(2, (3, 3)).permute(1, 2, 0, 3)
    weighted = weighted.index_add(0, first, between.flatten(1, 2) @ dirs[second], alpha=-1)
    weighted = weighted.index_add(0, second, between.transpose(1, 3).flatten(1, 2) @ dirs[first], alpha=-1)
    return weighted.unflatten(1, (3, len(terms.cost))).flatten(0, 1)
