"""Who it is and through which lens: what all frames share, together with poses and channels of a handful of them."""

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
    """Frames to learn the identity from: seen, evenly spread in time, rather from the front."""
    good = (confidence > 0.5).nonzero()[:, 0]
    if len(good) == 0:
        # A face that only flashes up is nowhere seen on both sides of a frame.
        good = torch.arange(len(confidence))
    turned = rotation[good].norm(dim=-1)
    good = good[turned <= turned.median() + 0.35]
    picks = torch.linspace(0, len(good) - 1, min(count, len(good))).round().long()
    return good[picks]


@dataclass(frozen=True, eq=False)
class Person:
    """What some frames share, and the frames themselves."""

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

    Poses and channels are solved with both fixed; then identity and focal length move with poses and inner channels
    free to follow (their best response is eliminated: a Schur complement), and so on. The priors, N(0, 1) and a
    log-normal one, are weighed against the mean over frames, because the errors of one person's frames are alike: a
    clip of one second and one of an hour are pulled equally.

    Args:
        energy: of one frame.
        seen: the frames, with the focal length to begin with.
        state: of the frames, to begin with.
        rounds: of both steps.
        usual_focal_px: middle of the focal length's prior.
        start: identity to begin with; the mean person if not given.
    """
    basis = energy.basis
    betas = basis.template.new_zeros(len(basis.identity_dirs)) if start is None else start
    gaze = state.channels.new_zeros(len(state.channels), 8)
    best: _Round | None = None
    shared = torch.cat([betas, betas.new_tensor([math.log(seen.focal_px / usual_focal_px)])]).double()
    share = 1.0
    for number in range(rounds):
        rest = basis.rest(shared[:-1].to(betas), gaze)
        state = refine(
            energy, rest, seen, state, iterations=4 if best is None else 1, smooth=False,
            hessian=None if best is None else best.equations.hessian,
        ).state  # fmt: skip
        equations = joint_equations(energy, rest, seen, state)
        cost = float(equations.cost) + _shared_cost(energy, shared)
        if best is None or cost < 1.001 * best.cost:
            best, share = _Round(shared, seen, state, equations, cost), min(1.0, 2 * share)
        else:
            share *= 0.3
        # The lens waits until the face has its rough shape.
        step = _shared_step(energy, best.equations, best.state, best.shared, with_lens=number >= rounds // 3)
        shared = best.shared + share * step
        seen, state = through_lens(best.seen, best.state, usual_focal_px * math.exp(float(shared[-1])))
    assert best is not None
    betas = shared[:-1].to(betas)
    rest, hessian = basis.rest(betas, gaze), best.equations.hessian
    return Person(betas, seen, refine(energy, rest, seen, state, iterations=3, smooth=False, hessian=hessian).state)


class _Round(NamedTuple):
    """The frames where their identity and lens stood best."""

    shared: Float[Tensor, " shared"]
    seen: Observation
    state: State
    equations: JointEquations
    cost: float


def through_lens(seen: Observation, state: State, focal_px: float) -> tuple[Observation, State]:
    """The frames with another focal length, the head moved away so that it keeps its size."""
    longer = state.place.new_tensor([1, 1, focal_px / seen.focal_px])
    return replace(seen, focal_px=focal_px), replace(state, place=state.place * longer)


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
    """Frame and shared blocks of the normal equations; shared are the identity and the logarithm of the focal length."""

    hessian: Float[Tensor, "frames n n"]
    gradient: Float[Tensor, "frames n"]
    cross: Float[Tensor, "frames n shared"]
    own: Float[Tensor, "shared shared"]
    """Mean over frames."""
    slope: Float[Tensor, " shared"]
    """Mean over frames."""
    cost: Float[Tensor, ""]
    """Mean over frames."""


def _shared_prior(energy: FaceEnergy, shared: Float[Tensor, " shared"]) -> Float[Tensor, " shared"]:
    """Weight of the square of each shared unknown."""
    prior = torch.full_like(shared, energy.settings.betas_weight)
    prior[-1] = energy.settings.focal_weight / energy.settings.focal_spread**2
    return prior


def _shared_cost(energy: FaceEnergy, shared: Float[Tensor, " shared"]) -> float:
    return 0.5 * float((_shared_prior(energy, shared) * shared**2).sum())


def _shared_step(
    energy: FaceEnergy,
    equations: JointEquations,
    state: State,
    shared: Float[Tensor, " shared"],
    *,
    with_lens: bool,
) -> Float[Tensor, " shared"]:
    """By how much identity, and logarithm of the focal length over its usual one, should change."""
    hessian, gradient, cross, own, slope = (value.double() for value in equations[:5])
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
    prior = _shared_prior(energy, shared)
    moving = len(shared) if with_lens else len(shared) - 1
    full, wanted = reduced + torch.diag(prior), pull + prior * shared
    step = torch.zeros_like(shared)
    step[:moving] = -torch.linalg.solve(full[:moving, :moving], wanted[:moving])
    # The frames follow a step of the lens to first order only.
    step[-1] = step[-1].clamp(-_LENS_STEP, _LENS_STEP)
    limit = torch.full_like(shared, 3.0)
    return (shared + step).clamp(-limit, limit) - shared


def joint_equations(energy: FaceEnergy, rest: Tensor, seen: Observation, state: State) -> JointEquations:
    basis = energy.basis
    terms = energy.point_terms(rest, state, seen)
    equations = energy.equations(terms, state)
    dirs, frames = basis.identity_dirs, len(rest)
    weighted = _by_identity(terms, basis)
    pose = (dirs.flatten(1) @ terms.mixed.flatten(2).flatten(0, 1)).unflatten(1, (frames, 6)).permute(1, 2, 0)
    channels = (basis.expression_dirs.flatten(1) @ weighted.flatten(1)).unflatten(1, (frames, -1)).transpose(0, 1)
    own = dirs.flatten(1) @ weighted.sum(1)
    slope = basis.identity_dirs.flatten(1) @ terms.pull.sum(0).flatten()
    common = terms.common_points.flatten(1)
    by_betas = common @ basis.identity_dirs.flatten(1).T
    by_frame = torch.cat([terms.common_pose, common @ basis.expression_dirs.flatten(1).T], 1)
    cross = torch.cat([pose, channels], 1) - by_frame[:, :, None] * by_betas[:, None]
    lens = lens_terms(energy, rest, state, seen)
    pulled = lens.pull.flatten(1)
    cross_lens = torch.cat([lens.pose, pulled @ basis.expression_dirs.flatten(1).T], 1)
    own_lens = pulled.sum(0) @ basis.identity_dirs.flatten(1).T
    own = own - by_betas.T @ by_betas
    own = torch.cat([torch.cat([own, own_lens[:, None]], 1), torch.cat([own_lens, lens.own.sum()[None]])[None]])
    slope = torch.cat([slope, lens.slope.sum()[None]])
    cross = torch.cat([cross, cross_lens[..., None]], 2)
    return JointEquations(
        equations.hessian, equations.gradient, cross, own / frames, slope / frames, equations.cost.mean()
    )


def _by_identity(terms: PointTerms, basis: FaceBasis) -> Float[Tensor, "coordinates frames n_betas"]:
    """Second derivatives by each point's place times what the identities do to the points.

    Points and their three axes share the first axis.
    """
    dirs = basis.identity_dirs.permute(1, 2, 0)
    own = terms.inner[..., [0, 3, 4, 3, 1, 5, 4, 5, 2]].unflatten(2, (3, 3)).permute(1, 2, 0, 3)
    weighted = own.flatten(1, 2) @ dirs
    first, second = basis.pairs.unbind(1)
    between = terms.between.unflatten(2, (3, 3)).permute(1, 2, 0, 3)
    weighted = weighted.index_add(0, first, between.flatten(1, 2) @ dirs[second], alpha=-1)
    weighted = weighted.index_add(0, second, between.transpose(1, 3).flatten(1, 2) @ dirs[first], alpha=-1)
    return weighted.unflatten(1, (3, len(terms.cost))).flatten(0, 1)
