"""Correction of the detector's bias from renders of the fitted head.

`HeadAssets.detector_bias` is the bias of the detector on the mean face in common expressions. A clip has one person,
its own views and expressions: several of its fitted frames, rendered and detected again, give the remaining bias.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.tracking.energy import Observation, State
from facetalk.tracking.face_basis import FaceBasis, with_points

ReadBack: TypeAlias = Callable[[Motion], Float[Tensor, "frames 478 3"]]
"""From a motion with a camera to the detected points on renders of it, pixels; rows of NaN where no face was found."""

_NOISE_M = 0.001
"""Noise of one point in one image."""
_REST_M = 0.003
_CHANNEL_M = 0.001
"""Expected displacement at rest and per unit of a channel."""
MIN_IMAGES = 10
"""Smallest number of renders that is worth using."""


def apply_reading(
    basis: FaceBasis, rest: Float[Tensor, "frames points 3"], state: State, read: Observation
) -> FaceBasis:
    """The basis with its points where the detector finds them on renders of the fitted head.

    Args:
        basis: of the fit.
        rest: its points for the person before expression.
        state: of the rendered frames.
        read: detected points on the renders; rows that are not finite are ignored.
    """
    good = torch.isfinite(read.image_points).all(-1).all(-1)
    if int(good.sum()) < MIN_IMAGES // 2:
        return basis
    turn = (axis_angle_to_matrix(state.rotation) @ read.reference)[good]
    posed = rest + basis.moved(state.channels) - basis.pivot
    points = posed[good] @ turn.transpose(1, 2) + state.position[good, None]
    offset = read.image_points[good] * -points[..., 2:] / read.focal_px - points[..., :2]
    faces = torch.nn.functional.pad(state.channels[good], (1, 0), value=1.0)
    spread = torch.full((faces.shape[1],), _CHANNEL_M)
    spread[0] = _REST_M
    shift = _ridge(faces.double(), turn[:, :2].double(), offset.double(), spread.double()).float()
    return with_points(basis, basis.template + shift[0], basis.expression_dirs + shift[1:])


def _ridge(
    faces: Float[Tensor, "frames rows"],
    axes: Float[Tensor, "frames 2 3"],
    miss: Float[Tensor, "frames points 2"],
    spread: Float[Tensor, " rows"],
) -> Float[Tensor, "rows points 3"]:
    """Displacements in the head's frame, linear in `faces`, whose projections are closest to `miss`."""
    design = torch.einsum("tk,tac->takc", faces, axes).flatten(0, 1).flatten(1)
    target = miss.transpose(1, 2).flatten(0, 1)
    prior = torch.diag((_NOISE_M / spread).repeat_interleave(3) ** 2)
    solution = torch.linalg.solve(design.T @ design + prior, design.T @ target)
    return solution.unflatten(0, (-1, 3)).transpose(1, 2)
