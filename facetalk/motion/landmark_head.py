"""A head reduced to its 68 landmarks: as the landmark detector sees them, or where they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import IBUG_FROM_MEDIAPIPE
from facetalk.head.assets import HeadAssets, HeadShape
from facetalk.head.model import HeadModel
from facetalk.head.surface_points import SurfacePoints


def detected_points(assets: HeadAssets) -> SurfacePoints:
    """MediaPipe's points on a head that stand for the 68 landmarks."""
    rows = _landmark_rows(assets)
    return SurfacePoints(assets.points.mediapipe.triangles[rows], assets.points.mediapipe.barycentric[rows])


def landmark_head(head: HeadModel) -> HeadModel:
    """Return a head whose vertices are the 68 landmarks as detected on an image of the given head.

    They include the detector's bias (`HeadPoints.detector_bias`), so that they compare with landmarks detected on a
    person's face; posing 68 vertices costs almost nothing.
    """
    assets, points = head.assets, detected_points(head.assets)
    weights = (assets.shape.skin_weights[points.triangles] * points.barycentric[..., None]).sum(1)
    shape = _moved_to(assets.shape, points.on, weights)
    if assets.points.detector_bias is not None:
        bias = assets.points.detector_bias[:, _landmark_rows(assets)]
        shape = replace(shape, template=shape.template + bias[0], expression_dirs=shape.expression_dirs + bias[1:])
    every = torch.arange(len(weights))
    at_vertices = SurfacePoints(every[:, None].repeat(1, 3), torch.eye(3)[torch.zeros_like(every)])
    return _with_vertices(assets, shape, at_vertices)


def landmark_corners_head(head: HeadModel) -> HeadModel:
    """Return a head with only the vertices that its 68 landmarks lie between, for their exact positions."""
    assets, marks = head.assets, head.points.landmarks
    kept, triangles = marks.triangles.unique(return_inverse=True)
    shape = _moved_to(assets.shape, lambda values: values[..., kept, :], assets.shape.skin_weights[kept])
    return _with_vertices(assets, shape, SurfacePoints(triangles, marks.barycentric))


def _moved_to(shape: HeadShape, on: Callable[[Tensor], Tensor], skin_weights: Tensor) -> HeadShape:
    """A shape with other vertices, whose positions and displacements follow from those of its own."""
    return replace(
        shape,
        template=on(shape.template),
        identity_dirs=on(shape.identity_dirs),
        expression_dirs=on(shape.expression_dirs),
        corrective_dirs=None if shape.corrective_dirs is None else on(shape.corrective_dirs),
        pose_dirs=None if shape.pose_dirs is None else on(shape.pose_dirs),
        skin_weights=skin_weights,
    )


def _with_vertices(assets: HeadAssets, shape: HeadShape, landmarks: SurfacePoints) -> HeadModel:
    count = len(shape.template)
    blank = replace(assets.appearance, colors=torch.zeros(count, 3), gloss=torch.zeros(count, 2))
    return HeadModel(replace(assets, shape=shape, points=replace(assets.points, landmarks=landmarks), appearance=blank))


def face_center(head: HeadModel) -> Float[Tensor, "3"]:
    """Mean of the detected landmarks of a head at rest, meters: the point that face encoders place in the crop."""
    return detected_points(head.assets).on(head.template).mean(0)


def _landmark_rows(assets: HeadAssets) -> list[int]:
    """Rows of the head's MediaPipe points that stand for the 68 landmarks."""
    row = {number: index for index, number in enumerate(assets.points.mediapipe_ids.tolist())}
    return [row[number] for number in IBUG_FROM_MEDIAPIPE]
