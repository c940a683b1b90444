"""Distance of a posed head from the detected points, linearized for all frames of a window at once.

The points are linear in the channels, so the normal equations need no Jacobian per frame: with `N = A' W A` of a point
(A: its 3x3 projection derivative) rotated into the head's frame, `H = sum N : (E E')` is one matrix product with a
table of `E E'` that depends only on the head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix, skew
from facetalk.tracking.face_basis import FaceBasis
from facetalk.tracking.point_kernel import add_points
from facetalk.tracking.settings import FitSettings, channel_priors


@dataclass(frozen=True, eq=False)
class Observation:
    """The detected points in consecutive frames, for the points of a basis."""

    image_points: Float[Tensor, "frames points 2"]
    """Pixels from the principal point, y up."""
    depth: Float[Tensor, "frames points"]
    """Toward the viewer, in pixels, with an unknown origin."""
    weights: Float[Tensor, "frames points"]
    """Confidence in each point in each frame, 0 to 1."""
    irises: Float[Tensor, "frames 2 2"]
    """Centers of the left and the right iris, pixels from the principal point, y up."""
    lid_opening: Float[Tensor, " frames"]
    """Gap between the lids over the distance of the outer eye corners."""
    reference: Float[Tensor, "3 3"]
    """Rotation to which those of the state are relative."""
    focal_px: float


@dataclass(frozen=True, eq=False)
class State:
    """The unknowns of consecutive frames."""

    rotation: Float[Tensor, "frames 3"]
    """Axis-angle on top of the reference: the head's rotation is `exp(rotation) @ reference`."""
    position: Float[Tensor, "frames 3"]
    """Position of the pivot of the basis in the camera's frame, meters."""
    channels: Float[Tensor, "frames free"]

    def flat(self) -> Float[Tensor, "frames n"]:
        """All unknowns of each frame in one row."""
        return torch.cat([self.rotation, self.position, self.channels], 1)

    @staticmethod
    def of(values: Float[Tensor, "frames n"]) -> State:
        """The inverse of `flat`."""
        return State(values[:, :3], values[:, 3:6], values[:, 6:])


class NormalEquations(NamedTuple):
    """Second-order model of the energy of each frame, without smoothness over time."""

    hessian: Float[Tensor, "frames n n"]
    gradient: Float[Tensor, "frames n"]
    cost: Float[Tensor, " frames"]
    """Robust cost of points, pairs and priors."""


class Slope(NamedTuple):
    """First-order model of the energy of each frame, a fraction of the work of `NormalEquations`."""

    gradient: Float[Tensor, "frames n"]
    cost: Float[Tensor, " frames"]


class PointTerms(NamedTuple):
    """Energy of points and pairs. Derivatives are in the head's frame.

    `pose_hessian`, `inner`, `between` and `mixed` have no frames if second derivatives were not requested.
    """

    pose_hessian: Float[Tensor, "frames 6 6"]
    pose_gradient: Float[Tensor, "frames 6"]
    inner: Float[Tensor, "frames points 6"]
    """Second derivative by each point's position: elements 00 11 22 01 02 12 of a symmetric matrix."""
    between: Float[Tensor, "frames pairs 9"]
    """Negative second derivative by the positions of a pair's two points: a matrix, row by row."""
    mixed: Float[Tensor, "points 3 frames 6"]
    """Derivative by position and by pose."""
    pull: Float[Tensor, "frames points 3"]
    """First derivative by each point's position, pairs included."""
    cost: Float[Tensor, " frames"]
    common_pose: Float[Tensor, "frames 6"]
    """Derivative of the mean depth of all points by the pose. The origin of the depth is unknown, so only differences
    from the mean are compared, and the square of this derivative is subtracted from the second derivative."""
    common_points: Float[Tensor, "frames points 3"]
    """Likewise by each point's position."""


def left_jacobian(axis_angle: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3 3"]:
    """Left Jacobian of the rotation `exp(r)`: `exp(r + d) = exp(J d) exp(r)` for small `d`."""
    square = (axis_angle * axis_angle).sum(-1)[:, None, None]
    small = square < 1e-8
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    first = torch.where(small, 0.5 - square / 24, (1 - angle.cos()) / safe)
    second = torch.where(small, 1 / 6 - square / 120, (angle - angle.sin()) / (safe * angle))
    cross = skew(axis_angle)
    return torch.eye(3, dtype=axis_angle.dtype) + first * cross + second * (cross @ cross)


class FaceEnergy:
    """Points, pairs and channel priors for one head."""

    def __init__(self, basis: FaceBasis, settings: FitSettings, *, solves_identity: bool = False) -> None:
        """Prepare the tables.

        Args:
            basis: the head's points.
            settings: weights.
            solves_identity: make channels expensive, so that what never changes becomes shape, not expression.
        """
        self.basis = basis
        self.settings = settings
        self.prior_hessian, self.prior_gradient = _prior(basis.free_names, settings, solves_identity)
        self._unpacking = _unpacking(len(basis.free))

    def posed(self, rest: Float[Tensor, "frames points 3"], state: State) -> Tensor:
        """The points before rotation, relative to the pivot, (frames, points, 3) meters."""
        return rest + self.basis.moved(state.channels) - self.basis.pivot

    def linearize(self, rest: Float[Tensor, "frames points 3"], state: State, seen: Observation) -> NormalEquations:
        """The energy around a state.

        Args:
            rest: points of the identity, see `FaceBasis.rest`.
            state: where to linearize.
            seen: the detected points of the same frames.
        """
        return self.equations(self.point_terms(rest, state, seen), state)

    def slope(self, rest: Float[Tensor, "frames points 3"], state: State, seen: Observation) -> Slope:
        """As `linearize`, without second derivatives."""
        terms = self.point_terms(rest, state, seen, curved=False)
        slope, cost = self._prior_slope(state)
        return Slope(self._gradient(terms) + slope, terms.cost + cost)

    def equations(self, terms: PointTerms, state: State) -> NormalEquations:
        """The sum of `point_terms` over points and pairs, plus the prior."""
        hessian = self._hessian(terms)
        hessian[:, 6:, 6:] += self.prior_hessian
        slope, cost = self._prior_slope(state)
        return NormalEquations(hessian, self._gradient(terms) + slope, terms.cost + cost)

    def point_terms(
        self, rest: Float[Tensor, "frames points 3"], state: State, seen: Observation, *, curved: bool = True
    ) -> PointTerms:
        """The terms of each point and pair; `curved` adds the second derivatives."""
        frames, points = rest.shape[:2]
        wanted = frames if curved else 0
        new = rest.new_zeros
        sums = (
            new(wanted, 6, 6), new(frames, 6), new(wanted, points, 6), new(wanted, len(self.basis.pairs), 9),
            new(points, 3, wanted, 6), new(frames, points, 3), new(frames),
        )  # fmt: skip
        body = self.posed(rest, state)
        turn = axis_angle_to_matrix(state.rotation) @ seen.reference
        jacobian = left_jacobian(state.rotation)
        basis, settings = self.basis, self.settings
        depth_precision = basis.depth_weights / settings.depth_sigma_m**2
        inputs = (body, turn, jacobian, state.position, seen.image_points, seen.depth, seen.weights)
        arguments: list[Any] = [value.contiguous().numpy() for value in inputs]
        arguments += [seen.focal_px, basis.pairs.numpy(), (basis.point_weights / settings.point_sigma_m**2).numpy()]
        arguments += [depth_precision.numpy(), (basis.pair_weights / settings.point_sigma_m**2).numpy()]
        arguments += [settings.robust_m, curved, *(value.numpy() for value in sums)]
        add_points(*arguments)
        return PointTerms(*sums, *_common_depth(body, turn, jacobian, seen.weights * depth_precision))

    def _hessian(self, terms: PointTerms) -> Tensor:
        frames, free = len(terms.cost), len(self.basis.free)
        flat_dirs = self.basis.expression_dirs.flatten(1)
        hessian = terms.inner.new_empty(frames, 6 + free, 6 + free)
        hessian[:, :6, :6] = terms.pose_hessian
        mixed = (flat_dirs @ terms.mixed.flatten(2).flatten(0, 1)).reshape(free, frames, 6)
        hessian[:, 6:, :6] = mixed.transpose(0, 1)
        hessian[:, :6, 6:] = mixed.permute(1, 2, 0)
        packed = torch.cat([terms.inner.flatten(1), terms.between.flatten(1)], 1) @ self.basis.products
        hessian[:, 6:, 6:] = packed.index_select(1, self._unpacking).unflatten(1, (free, free))
        common = torch.cat([terms.common_pose, terms.common_points.flatten(1) @ flat_dirs.T], 1)
        hessian -= common[:, :, None] * common[:, None]
        return hessian

    def _gradient(self, terms: PointTerms) -> Tensor:
        return torch.cat([terms.pose_gradient, terms.pull.flatten(1) @ self.basis.expression_dirs.flatten(1).T], 1)

    def _prior_slope(self, state: State) -> tuple[Tensor, Tensor]:
        """First derivative of the channel prior by a frame's unknowns, and its cost."""
        slope = state.channels @ self.prior_hessian
        cost = (state.channels * (0.5 * slope + self.prior_gradient)).sum(1)
        return torch.nn.functional.pad(slope + self.prior_gradient, (6, 0)), cost


def _common_depth(body: Tensor, turn: Tensor, jacobian: Tensor, precision: Tensor) -> tuple[Tensor, Tensor]:
    """`common_pose` and `common_points` of `PointTerms`."""
    root = precision.sum(1, keepdim=True).clamp_min(1e-12).sqrt()
    share = precision / root
    toward = turn[:, 2]
    middle = (turn @ (share[..., None] * body).sum(1)[..., None]).squeeze(-1)
    by_rotation = -(skew(middle) @ jacobian)[:, 2]
    by_place = torch.nn.functional.pad(root, (2, 0))
    return torch.cat([by_rotation, by_place], 1), share[..., None] * toward[:, None]


def _prior(names: tuple[str, ...], settings: FitSettings, solves_identity: bool) -> tuple[Tensor, Tensor]:
    """Second and first derivative of the channel prior: small, sparse, similar on both sides."""
    weights = torch.tensor(channel_priors(names))
    if solves_identity:
        weights = weights.clamp_min(1.0) * settings.identity_reluctance
    hessian = torch.diag((weights / settings.channel_sigma) ** 2)
    for row, name in enumerate(names):
        if name.endswith("Left") and not name.startswith(("jaw", "mouthLeft")):
            column = names.index(name[: -len("Left")] + "Right")
            stiffness = 1 / settings.side_sigma**2
            hessian[row, row] += stiffness
            hessian[column, column] += stiffness
            hessian[row, column] -= stiffness
            hessian[column, row] -= stiffness
    return hessian, settings.channel_cost * weights


def _unpacking(free: int) -> Tensor:
    """Index in the upper triangle of each element of a symmetric matrix, row by row."""
    upper = torch.triu_indices(free, free)
    positions = torch.zeros(free, free, dtype=torch.long)
    positions[upper[0], upper[1]] = positions[upper[1], upper[0]] = torch.arange(upper.shape[1])
    return positions.flatten()
