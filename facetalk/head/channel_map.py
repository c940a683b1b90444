"""Linear maps between ARKit's channels and the coefficients of a head that has other channels.

The map is solved once per head: for each ARKit channel, the coefficients and the jaw rotation that move the head's
points as the channel moves those of a reference head. The way back, from coefficients to channels, is a bounded
least-squares problem over time with the same map, so that a motion mapped there and back returns unchanged.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.head.bounded_least_squares import Smoothness, bounded_over_time
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.model import HeadModel
from facetalk.head.point_basis import JAW, PointBasis, compared, point_basis, row_weights, shared_points

MOST_JAW = 0.6
"""Largest rotation of the jaw around any axis, radians."""
_JAW_UNIT = 0.1
"""Jaw rotation that costs as much as one coefficient at one standard deviation, radians."""

_SOLVED_AT = 0.6
"""Strength of a channel at which its map is exact; elsewhere the jaw's rotation makes it slightly nonlinear."""
_MAP_ROUNDS = 5

PRIOR = 2.0
"""Squared cost of one coefficient at one standard deviation, relative to one point that is `POINT_SIGMA_M` off."""


def solve_map(reference: HeadModel, head: HeadModel) -> Float[Tensor, "52 controls"]:
    """Solve for the coefficients and jaw angles that move a head's points as each ARKit channel moves the reference's.

    Args:
        reference: a head with ARKit's channels.
        head: a head with other channels.
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
        # The jaw rotates, so the linear solution falls short: solve for the remainder.
        missing = other.scaled(wanted - _moved(head, numbers, controls.float()))
        pulled = basis @ missing.T - (_prior(len(basis)) * controls).T
        controls = controls + torch.linalg.solve(inner, pulled).T
    return (controls / _SOLVED_AT).float()


def _moved(head: HeadModel, numbers: Tensor, controls: Tensor) -> Tensor:
    """Displacement of the compared rows from rest, with the jaw's exact rotation."""
    poses = torch.zeros(len(controls) + 1, 5, 3)
    poses[:-1, JAW] = controls[:, -3:]
    expression = torch.cat([controls[:, :-3], torch.zeros_like(controls[:1, :-3])])
    with torch.no_grad():
        vertices = head(expression, poses, torch.zeros(len(poses), 3), torch.zeros(head.num_betas))
    rows = compared(head.assets, numbers, vertices)
    return rows[:-1] - rows[-1]


def _prior(controls: int) -> Float[Tensor, " controls"]:
    """Squared cost of each control."""
    prior = torch.full((controls,), PRIOR, dtype=torch.float64)
    prior[-3:] /= _JAW_UNIT**2
    return prior


def controls_to_channels(
    controls: Float[Tensor, "frames controls"],
    arkit_map: Float[Tensor, "52 controls"],
    basis: PointBasis,
    gaze: Float[Tensor, "frames 8"],
    smoothness: Smoothness | None = None,
) -> Float[Tensor, "frames 52"]:
    """ARKit weights in [0, 1] that move a head's points, through the map, as its own coefficients do.

    Args:
        controls: expression coefficients and jaw angles over time.
        arkit_map: result of `solve_map` for the head.
        basis: the head's, see `point_basis`.
        gaze: the `eyeLook*` channels, which follow from the eyeballs; their effect on the lids is subtracted.
        smoothness: costs of change and size.
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
        wanted: displacements of the compared rows, meters at this head's size.
        basis: the head's, see `point_basis`.
        bounds: smallest and largest value of each coefficient.
        smoothness: costs of change and size.
    """
    jaw = torch.tensor([-MOST_JAW, MOST_JAW]).repeat(3, 1)
    limits = torch.cat([bounds, jaw]).double()
    prior = _prior(len(basis.dirs))
    return bounded_over_time(basis.weighted(), basis.scaled(wanted), limits, smoothness or Smoothness(), prior).to(
        wanted
    )
