"""Calibration of a head's MediaPipe points: the head is rendered, and the points move to where the detector sees them.

The detector has its own notion of where a lip ends or an eyelid begins. A head whose points lie where the detector
sees them is fitted without bias, whoever made the head.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from facetalk.core.camera import Camera
from facetalk.core.landmarks import IBUG_INNER_FACE_SLICE
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head import channel_map, point_basis, registration
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.head.registration import slide
from facetalk.head.surface_points import SurfacePoints
from facetalk.io.cache import arrays_in, cached_arrays
from facetalk.motion.head_surface import head_surface
from facetalk.rendering.renderer import CpuRenderer
from facetalk.vision.landmark_detector import LandmarkDetector, MediaPipeDetector, detector_name

SIZE = 512
VIEWS_DEG = ((0, 0), (-14, 0), (14, 0), (-26, 0), (26, 0), (0, -12), (0, 12), (-12, 10), (12, 10))
"""Yaw and pitch of the head in the images."""

EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.12},
    {"jawOpen": 0.3},
    {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5},
    {"mouthPucker": 0.5},
    {"browInnerUp": 0.5, "browOuterUpLeft": 0.5, "browOuterUpRight": 0.5},
)
ROUNDS = 2
"""The second round corrects what sliding along the surface changed in the first."""

_STIFFNESS = 0.3
"""Pull of the unobserved directions of a displacement toward zero, relative to one image."""
_REST_WEIGHT = 10.0
"""Weight of the frontal face at rest relative to each other image: most frames are close to it."""
_MAX_MOVE_M = 0.008
"""Largest move of a point in one round, meters."""
_MIN_IMAGES = 10


def calibrated(head: HeadModel, reference: HeadModel, detector: LandmarkDetector | None = None) -> HeadModel:
    """Return the head with its MediaPipe points where the detector sees them; the result is kept in the user's cache.

    Points from the head's own files (`meta["published_points"]`) stay where the publisher put them.

    Args:
        head: any head.
        reference: a head with ARKit's channels, needed to animate a head with other channels.
        detector: None for MediaPipe.
    """
    assets = head.assets

    def make() -> dict[str, np.ndarray]:
        points, shapes = assets.points.mediapipe, expressions(head, reference)
        own = MediaPipeDetector(follow=False) if detector is None else detector
        try:
            for _ in range(ROUNDS):
                points = _measured(replace(assets, points=replace(assets.points, mediapipe=points)), shapes, own)
        finally:
            if detector is None:
                own.close()
        return {"triangles": points.triangles.numpy(), "barycentric": points.barycentric.numpy()}

    parts = (*arrays_in(assets), *arrays_in(reference.assets), *arrays_in(detector_name()))
    made = cached_arrays(
        "calibration", parts, make, code=(sys.modules[__name__], registration, channel_map, point_basis)
    )
    points = SurfacePoints(torch.from_numpy(made["triangles"]), torch.from_numpy(made["barycentric"]).float())
    return HeadModel(replace(assets, points=replace(assets.points, mediapipe=_keep_published(assets, points)))).eval()


def _keep_published(assets: HeadAssets, points: SurfacePoints) -> SurfacePoints:
    """Restore the published points among calibrated ones."""
    kept = torch.isin(
        assets.points.mediapipe_ids, torch.tensor(assets.meta.get("published_points", []), dtype=torch.long)
    )
    both = zip(assets.points.mediapipe, points, strict=True)
    return SurfacePoints(*(torch.where(kept[:, None], own, new.to(own)) for own, new in both))


def expressions(head: HeadModel, reference: HeadModel) -> Float[torch.Tensor, "shapes vertices 3"]:
    """Pose the head in each of `EXPRESSIONS`, the first at rest; `reference` as for `calibrated`."""
    weights = torch.tensor([[expression.get(name, 0.0) for name in ARKIT_NAMES] for expression in EXPRESSIONS])
    poses = torch.zeros(len(weights), 5, 3)
    if not head.shape.is_arkit:
        controls = weights @ channel_map.solve_map(reference, head)
        weights, poses[:, point_basis.JAW] = controls[:, :-3], controls[:, -3:]
    with torch.no_grad():
        return head(weights, poses, torch.zeros(len(weights), 3), torch.zeros(head.num_betas))


def _measured(assets: HeadAssets, shapes: torch.Tensor, detector: LandmarkDetector) -> SurfacePoints:
    """Return the points after one round of detecting and sliding."""
    offsets = displacement(assets, shapes, detector)
    if offsets is None:
        return assets.points.mediapipe  # a head in which MediaPipe finds no face keeps its points
    length = np.linalg.norm(offsets, axis=1, keepdims=True)
    offsets *= np.tanh(length / _MAX_MOVE_M) * _MAX_MOVE_M / np.maximum(length, 1e-9)
    template, faces = assets.shape.template.double().numpy(), assets.shape.faces.numpy()
    triangles, weights = slide(
        assets.points.mediapipe.triangles.numpy(),
        assets.points.mediapipe.barycentric.double().numpy(),
        offsets,
        template,
        faces,
    )
    return SurfacePoints(torch.from_numpy(triangles), torch.from_numpy(weights).float())


def displacement(
    assets: HeadAssets, shapes: Float[torch.Tensor, "shapes vertices 3"], detector: LandmarkDetector
) -> Float[np.ndarray, "points 3"] | None:
    """Least-squares displacement of each point that explains the detections, meters; None if no face was detected.

    Args:
        assets: the head.
        shapes: the head in each expression, the first at rest.
        detector: one that searches each image independently.
    """
    normal, right = np.zeros((len(assets.points.mediapipe_ids), 3, 3)), np.zeros((len(assets.points.mediapipe_ids), 3))
    count, unit = 0, 0.0
    for residual, jacobian, weight in _observations(assets, shapes, detector):
        normal += weight * np.einsum("pia,pib->pab", jacobian, jacobian)
        right += weight * np.einsum("pia,pi->pa", jacobian, residual)
        unit += (jacobian**2).sum((1, 2)).mean() / 3
        count += 1
    if count < _MIN_IMAGES:
        return None
    normal += _STIFFNESS * unit / count * np.eye(3)
    return np.linalg.solve(normal, right[..., None])[..., 0]


def _observations(
    assets: HeadAssets, shapes: torch.Tensor, detector: LandmarkDetector
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Residuals of each image in pixels (points, 2), their Jacobian by position (points, 2, 3), and its weight."""
    ids = assets.points.mediapipe_ids.numpy()
    middle = assets.points.landmarks.on(assets.shape.template)[IBUG_INNER_FACE_SLICE].mean(0).double().numpy()
    camera = portrait_camera()
    renderer = CpuRenderer(head_surface(assets), camera)
    focal, shift = float(camera.K[0, 0]), camera.world_to_camera[:3, 3].double().numpy()
    for number, shape in enumerate(shapes):
        vertices = shape.double().numpy() - middle
        points = assets.points.mediapipe.on(shape).double().numpy() - middle
        for view in VIEWS_DEG:
            turn = head_turn(*view)
            seen = detector.detect(renderer.render((vertices @ turn.T).astype(np.float32)))
            if seen is None:
                continue
            at = points @ turn.T + shift
            depth = -at[:, 2]
            pixel = np.stack([SIZE / 2 + focal * at[:, 0] / depth, SIZE / 2 - focal * at[:, 1] / depth], 1)
            rows = np.stack([turn[0], -turn[1]]) * focal
            weight = _REST_WEIGHT if number == 0 and view == VIEWS_DEG[0] else 1.0
            yield seen[ids, :2] - pixel, rows[None] / depth[:, None, None], weight


def portrait_camera(distance: float = 0.62, focal: float = 1150.0) -> Camera:
    """A camera in front of a head at the origin; distance in meters, focal length in pixels."""
    pose = torch.eye(4)
    pose[2, 3] = -distance
    K = torch.tensor([[focal, 0.0, SIZE / 2], [0.0, focal, SIZE / 2], [0.0, 0.0, 1.0]])
    return Camera(K, (SIZE, SIZE), pose)


def head_turn(yaw_deg: float, pitch_deg: float) -> np.ndarray:
    """Rotation matrix of a head that first turns to its left, then looks down."""
    yaw = axis_angle_to_matrix(torch.tensor([0.0, math.radians(yaw_deg), 0.0], dtype=torch.float64))
    pitch = axis_angle_to_matrix(torch.tensor([math.radians(pitch_deg), 0.0, 0.0], dtype=torch.float64))
    return (pitch @ yaw).numpy()
