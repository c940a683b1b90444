"""A head reduced to points of the face that can be compared with another head's.

The points are those of MediaPipe's mesh and the 68 landmarks, which every head has, and the differences of opposite
points of lips and lids, which decide whether mouth and eyes are closed.
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
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_NAMES

JAW = JOINT_NAMES.index("jaw")
_JAW_STEP = 0.02
"""Rotation from which the jaw's effect is differentiated, radians."""

POINT_SIGMA_M = 0.001
"""Unit of a point's error, meters."""

_REGION_WEIGHTS = (("mouth", 2.0), ("brows", 2.0), ("eyes", 3.0), ("lips", 5.0))
"""Weight of the points of a region; later rows override earlier ones, and all other points have weight 1."""

_PAIR_WEIGHT = 15.0
"""Weight of the difference of opposite points of lips and lids."""


@dataclass(frozen=True, eq=False)
class PointBasis:
    """Compared points as linear functions of a head's coefficients and its jaw's rotation."""

    dirs: Float[Tensor, "controls rows 3"]
    """Displacement of each compared row per unit of each expression coefficient, then per radian of the jaw."""
    scale: float
    """Distance of the outer eye corners, meters."""
    weights: Float[Tensor, " rows"]

    def weighted(self) -> Float[Tensor, "controls width"]:
        """`dirs` in units of `POINT_SIGMA_M`, times the square root of the weights, float64."""
        return self.scaled(self.dirs)

    def scaled(self, displacements: Float[Tensor, "any rows 3"]) -> Float[Tensor, "any width"]:
        """Displacements of the compared rows in the units of `weighted`."""
        return (displacements.double() * self.weights.double().sqrt()[:, None] / POINT_SIGMA_M).flatten(1)


def shared_points(first: HeadAssets, second: HeadAssets) -> Int[Tensor, " points"]:
    """Indices of MediaPipe's skin points that both heads have."""
    both = [
        set(ids[ids < NUM_MESH_SKIN_POINTS].tolist())
        for ids in (first.points.mediapipe_ids, second.points.mediapipe_ids)
    ]
    return torch.tensor(sorted(both[0] & both[1]), dtype=torch.long)


def compared(
    head: HeadAssets, numbers: Int[Tensor, " points"], vertices: Float[Tensor, "*batch vertices 3"]
) -> Float[Tensor, "*batch rows 3"]:
    """Compared rows of a mesh or of displacements: points, landmarks, differences of opposite landmarks."""
    row = torch.full((int(head.points.mediapipe_ids.max()) + 1,), -1)
    row[head.points.mediapipe_ids] = torch.arange(len(head.points.mediapipe_ids))
    points = head.points.mediapipe.on(vertices)[..., row[numbers], :]
    landmarks = head.points.landmarks.on(vertices)
    pairs = torch.tensor(IBUG_LIP_CLOSURE_PAIRS + IBUG_LID_CLOSURE_PAIRS)
    return torch.cat([points, landmarks, landmarks[..., pairs[:, 0], :] - landmarks[..., pairs[:, 1], :]], -2)


def row_weights(head: HeadAssets, numbers: Int[Tensor, " points"]) -> Float[Tensor, " rows"]:
    """Weight of each compared row, from the regions of a head."""
    of_vertex = torch.ones(len(head.shape.template))
    for name, weight in _REGION_WEIGHTS:
        of_vertex[head.points.regions[name]] = weight
    rows = compared(head, numbers, of_vertex[:, None].expand(-1, 3))[:, 0]
    rows[len(numbers) + NUM_IBUG :] = _PAIR_WEIGHT
    return rows


def point_basis(head: HeadModel, numbers: Int[Tensor, " points"], weights: Float[Tensor, " rows"]) -> PointBasis:
    """Linearize a head: what its coefficients and its jaw do to the compared points.

    Args:
        head: any head.
        numbers: indices of MediaPipe's points to compare.
        weights: weight of each compared row.
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
