"""A head reduced to the 68 landmarks as the landmark detector sees them."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import IBUG_FROM_MEDIAPIPE
from facetalk.head.assets import HeadAssets
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
    assets, shape, points = head.assets, head.shape, detected_points(head.assets)
    template, expression_dirs = points.on(shape.template), points.on(shape.expression_dirs)
    if assets.points.detector_bias is not None:
        bias = assets.points.detector_bias[:, _landmark_rows(assets)]
        template, expression_dirs = template + bias[0], expression_dirs + bias[1:]
    every = torch.arange(len(template))
    reduced = replace(
        shape,
        template=template,
        identity_dirs=points.on(shape.identity_dirs),
        expression_dirs=expression_dirs,
        corrective_dirs=None if shape.corrective_dirs is None else points.on(shape.corrective_dirs),
        pose_dirs=None if shape.pose_dirs is None else points.on(shape.pose_dirs),
        skin_weights=(shape.skin_weights[points.triangles] * points.barycentric[..., None]).sum(1),
    )
    at_vertices = SurfacePoints(every[:, None].repeat(1, 3), torch.eye(3)[torch.zeros_like(every)])
    blank = replace(assets.appearance, colors=torch.zeros(len(template), 3), gloss=torch.zeros(len(template), 2))
    return HeadModel(
        replace(assets, shape=reduced, points=replace(assets.points, landmarks=at_vertices), appearance=blank)
    )


def face_center(head: HeadModel) -> Float[Tensor, "3"]:
    """Mean of the detected landmarks of a head at rest, meters: the point that face encoders place in the crop."""
    return detected_points(head.assets).on(head.template).mean(0)


def _landmark_rows(assets: HeadAssets) -> list[int]:
    """Rows of the head's MediaPipe points that stand for the 68 landmarks."""
    row = {number: index for index, number in enumerate(assets.points.mediapipe_ids.tolist())}
    return [row[number] for number in IBUG_FROM_MEDIAPIPE]
