"""One head's coefficients for another's: by channel names, or by what both do to the same points of the face.

The points are those of MediaPipe's mesh and the 68 landmarks, which every head carries. A head whose channels are not
ARKit's is tied to them by a linear map, solved once: the coefficients and the jaw turn that move its points as each
channel moves the reference head's. The way back is a bounded least-squares problem over time with the same map, so that
a performance that went there comes back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from facetalk.core.landmarks import (
    IBUG_LID_CLOSURE_PAIRS,
    IBUG_LIP_CLOSURE_PAIRS,
    IBUG_OUTER_EYE_CORNERS,
    NUM_IBUG,
    NUM_MESH_SKIN_POINTS,
)
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.model import HeadModel

JAW = 2
_JAW_STEP = 0.02
MOST_JAW = 0.6
"""Largest angle of the jaw about any axis, radians."""
_JAW_UNIT = 0.1
"""Radians of jaw that cost as much as one coefficient at one standard deviation."""

_SOLVED_AT = 0.6
"""Strength of a channel at which its map is exact; the jaw's turn makes it a little wrong elsewhere."""
_MAP_ROUNDS = 5

POINT_SIGMA_M = 0.001
PRIOR = 2.0
"""Squared cost of one coefficient at one standard deviation, in units of one point missed by `POINT_SIGMA_M`."""

_REGION_WEIGHTS = (("mouth", 2.0), ("brows", 2.0), ("eyes", 3.0), ("lips", 5.0))
"""Later ones over earlier ones; the rest of the face has 1, what lies on no region of a head's skin too."""

_PAIR_WEIGHT = 15.0
"""Of the difference of opposite points of lips and lids, which decides whether they are closed."""


@dataclass(frozen=True, eq=False)
class PointBasis:
    """A head reduced to compared points, as linear functions of its coefficients and its jaw."""

    dirs: Float[Tensor, "controls rows 3"]
    """Displacement of each compared point or difference; expression first, then the jaw's three angles."""
    scale: float
    """Distance of the outer eye corners, metres."""
    weights: Float[Tensor, " rows"]

    def weighted(self) -> Float[Tensor, "controls width"]:
        """Displacements in units of `POINT_SIGMA_M`, times the root of their weights, in double precision."""
        return self.scaled(self.dirs)

    def scaled(self, displacements: Float[Tensor, "any rows 3"]) -> Float[Tensor, "any width"]:
        """Displacements of the compared rows in the same units."""
        return (displacements.double() * self.weights.double().sqrt()[:, None] / POINT_SIGMA_M).flatten(1)


def shared_points(first: HeadAssets, second: HeadAssets) -> Int[Tensor, " points"]:
    """Numbers of MediaPipe's skin points that both heads have."""
    both = [
        set(ids[ids < NUM_MESH_SKIN_POINTS].tolist())
        for ids in (first.points.mediapipe_ids, second.points.mediapipe_ids)
    ]
    return torch.tensor(sorted(both[0] & both[1]), dtype=torch.long)


def compared(
    head: HeadAssets, numbers: Int[Tensor, " points"], vertices: Float[Tensor, "*batch vertices 3"]
) -> Float[Tensor, "*batch rows 3"]:
    """Compared rows of a mesh, or of displacements: points, landmarks, differences of opposite landmarks."""
    row = torch.full((int(head.points.mediapipe_ids.max()) + 1,), -1)
    row[head.points.mediapipe_ids] = torch.arange(len(head.points.mediapipe_ids))
    points = head.points.mediapipe.on(vertices)[..., row[numbers], :]
    marks = head.points.landmarks.on(vertices)
    pairs = torch.tensor(IBUG_LIP_CLOSURE_PAIRS + IBUG_LID_CLOSURE_PAIRS)
    return torch.cat([points, marks, marks[..., pairs[:, 0], :] - marks[..., pairs[:, 1], :]], -2)


def row_weights(head: HeadAssets, numbers: Int[Tensor, " points"]) -> Float[Tensor, " rows"]:
    """How much each compared row counts, from the regions of a head."""
    of_vertex = torch.ones(len(head.shape.template))
    for name, weight in _REGION_WEIGHTS:
        of_vertex[head.points.regions[name]] = weight
    rows = compared(head, numbers, of_vertex[:, None].expand(-1, 3))[:, 0]
    rows[len(numbers) + NUM_IBUG :] = _PAIR_WEIGHT
    return rows


def point_basis(head: HeadModel, numbers: Int[Tensor, " points"], weights: Float[Tensor, " rows"]) -> PointBasis:
    """What a head's coefficients and jaw do to the compared points.

    Args:
        head: any.
        numbers: MediaPipe's points to compare.
        weights: of the compared rows.
    """
    assets = head.assets
    expression = compared(assets, numbers, assets.shape.expression_dirs)
    poses = torch.zeros(6, 5, 3)
    for axis in range(3):
        poses[axis, JAW, axis], poses[axis + 3, JAW, axis] = _JAW_STEP, -_JAW_STEP
    with torch.no_grad():
        turned = head(torch.zeros(6, len(expression)), poses, torch.zeros(6, 3), torch.zeros(head.num_betas))
    jaw = compared(assets, numbers, (turned[:3] - turned[3:]) / (2 * _JAW_STEP))
    corners = assets.points.landmarks.on(assets.shape.template)[list(IBUG_OUTER_EYE_CORNERS)]
    return PointBasis(torch.cat([expression, jaw]), float((corners[0] - corners[1]).norm()), weights)


def solve_map(reference: HeadModel, head: HeadModel) -> Float[Tensor, "52 controls"]:
    """Coefficients and jaw angles of a head that do to its points what each ARKit channel does to the reference's.

    Args:
        reference: a head with ARKit's channels.
        head: a head with others.
    """
    if not reference.shape.is_arkit:
        raise ValueError(f"the reference head {reference.name!r} does not have ARKit's channels")
    numbers = shared_points(reference.assets, head.assets)
    weights = row_weights(reference.assets, numbers)
    own, other = point_basis(reference, numbers, weights), point_basis(head, numbers, weights)
    wanted = own.dirs[: len(ARKIT_NAMES)] * (other.scale / own.scale) * _SOLVED_AT
    basis = other.weighted()
    inner = basis @ basis.T + torch.diag(_prior(len(basis)))
    controls = torch.zeros(len(wanted), len(basis), dtype=torch.float64)
    for _ in range(_MAP_ROUNDS):
        # The jaw turns, it does not shift: what is still missing is solved anew.
        missing = other.scaled(wanted - _moved(head, numbers, controls.float()))
        pulled = basis @ missing.T - (_prior(len(basis)) * controls).T
        controls = controls + torch.linalg.solve(inner, pulled).T
    return (controls / _SOLVED_AT).float()


def _moved(head: HeadModel, numbers: Tensor, controls: Tensor) -> Tensor:
    """Displacement of the compared rows from rest, with the jaw truly turned."""
    poses = torch.zeros(len(controls) + 1, 5, 3)
    poses[:-1, JAW] = controls[:, -3:]
    expression = torch.cat([controls[:, :-3], torch.zeros_like(controls[:1, :-3])])
    with torch.no_grad():
        vertices = head(expression, poses, torch.zeros(len(poses), 3), torch.zeros(head.num_betas))
    rows = compared(head.assets, numbers, vertices)
    return rows[:-1] - rows[-1]


def _prior(controls: int) -> Float[Tensor, " controls"]:
    prior = torch.full((controls,), PRIOR, dtype=torch.float64)
    prior[-3:] /= _JAW_UNIT**2
    return prior


@dataclass(frozen=True)
class Smoothness:
    """How the solution over time is steadied, in units of one point missed by `POINT_SIGMA_M`."""

    step: float = 0.02
    """Squared cost of a control's change by 1 from frame to frame."""
    pull: float = 0.005
    """Squared cost of a control at 1: decides between channels that do the same."""
    sweeps: int = 500
    tolerance: float = 1e-5


def controls_to_channels(
    controls: Float[Tensor, "frames controls"],
    arkit_map: Float[Tensor, "52 controls"],
    basis: PointBasis,
    gaze: Float[Tensor, "frames 8"],
    smoothness: Smoothness | None = None,
) -> Float[Tensor, "frames 52"]:
    """ARKit weights in [0, 1] that, through the map, do to a head's points what its own coefficients do.

    Args:
        controls: expression coefficients and jaw angles over time.
        arkit_map: what `solve_map` returned for the head.
        basis: of the head.
        gaze: the `eyeLook*` channels; they follow from the eyeballs, so their effect on the lids is known.
        smoothness: how the weights are steadied.
    """
    points = basis.weighted()
    channels = arkit_map.double() @ points
    known = indices(GAZE_NAMES)
    free = [k for k in range(len(channels)) if k not in known]
    wanted = controls.double() @ points - gaze.double() @ channels[known]
    bounds = torch.tensor([0.0, 1.0], dtype=torch.float64).repeat(len(free), 1)
    answer = controls.new_zeros(len(controls), len(channels))
    answer[:, known] = gaze
    answer[:, free] = bounded_over_time(channels[free], wanted, bounds, smoothness or Smoothness()).to(answer)
    return answer


def points_to_controls(
    wanted: Float[Tensor, "frames rows 3"],
    basis: PointBasis,
    bounds: Float[Tensor, "n_expression 2"],
    smoothness: Smoothness | None = None,
) -> Float[Tensor, "frames controls"]:
    """Coefficients and jaw angles that move a head's points by given displacements.

    Args:
        wanted: displacements of the compared rows, metres of this head.
        basis: of the head.
        bounds: smallest and largest of each coefficient.
        smoothness: how they are steadied.
    """
    jaw = torch.tensor([-MOST_JAW, MOST_JAW]).repeat(3, 1)
    limits = torch.cat([bounds, jaw]).double()
    prior = _prior(len(basis.dirs))
    return bounded_over_time(basis.weighted(), basis.scaled(wanted), limits, smoothness or Smoothness(), prior).to(
        wanted
    )


def bounded_over_time(
    directions: Float[Tensor, "controls width"],
    wanted: Float[Tensor, "frames width"],
    bounds: Float[Tensor, "controls 2"],
    smoothness: Smoothness,
    prior: Float[Tensor, " controls"] | None = None,
) -> Float[Tensor, "frames controls"]:
    """Minimise `|x A - b|^2 + prior x^2 + step |x(t) - x(t-1)|^2` within bounds.

    Args:
        directions: `A`, what each control does; float64 like the rest.
        wanted: `b`.
        bounds: smallest and largest of each control.
        smoothness: see there.
        prior: cost of each control, beside the smoothness's pull.
    """
    from facetalk.head.bounded_kernel import sweep_bounded  # numba loads here

    inner, linear = directions @ directions.T, wanted @ directions.T
    extra = torch.full((len(inner),), smoothness.pull, dtype=torch.float64)
    extra = extra if prior is None else extra + prior
    step = smoothness.step * extra / smoothness.pull
    # Without bounds and neighbours the answer is at hand; from there only what is out of bounds has far to go.
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
