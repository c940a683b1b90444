"""Where MediaPipe itself sees its points on the finished head, relative to where the sculptor put them.

`python -m facetalk.sculpting.calibrating` renders the head in several poses and expressions, runs MediaPipe on the
pictures and writes the mean displacement of each of the 478 points to `calibration.npz` beside this module. Run it
again whenever the face's shape or paint has changed, then rebuild the head.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.core.types import Camera
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadAssets
from facetalk.models.landmark_detector import MediaPipeDetector
from facetalk.render.renderer import CpuRenderer
from facetalk.render.surface import Surface
from facetalk.sculpting.anatomy import read_measurements
from facetalk.sculpting.build import build_head

CALIBRATION_PATH = Path(__file__).with_name("calibration.npz")

SIZE = 512
VIEWS_DEG = ((0, 0), (-14, 0), (14, 0), (-26, 0), (26, 0), (0, -12), (0, 12), (-12, 10), (12, 10))
"""Yaw and pitch."""

EXPRESSIONS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.12},
    {"jawOpen": 0.3},
    {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5},
    {"mouthPucker": 0.5},
    {"browInnerUp": 0.5, "browOuterUpLeft": 0.5, "browOuterUpRight": 0.5},
)
STIFFNESS = 0.3
"""Pull of the displacement's unseen directions towards zero, in units of one view."""

REST_WEIGHT = 10.0
"""How much more the face at rest from the front counts than each other picture: most frames are near it."""

LARGEST_MM = 6.0
ROUNDS = 2
"""The displaced points are laid on the skin, which undoes part of the way on slopes; the second round makes up."""


def portrait(distance: float = 0.62, focal: float = 1150.0) -> Camera:
    """A camera in front of the head."""
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor([0.0, 0.03, -distance])
    K = torch.tensor([[focal, 0.0, SIZE / 2], [0.0, focal, SIZE / 2], [0.0, 0.0, 1.0]])
    return Camera(K, (SIZE, SIZE), pose)


def head_turn(yaw_deg: float, pitch_deg: float) -> np.ndarray:
    """Rotation matrix of the head."""
    yaw = axis_angle_to_matrix(torch.tensor([0.0, math.radians(yaw_deg), 0.0], dtype=torch.float64))
    pitch = axis_angle_to_matrix(torch.tensor([math.radians(pitch_deg), 0.0, 0.0], dtype=torch.float64))
    return (pitch @ yaw).numpy()


def plain_surface(assets: HeadAssets) -> Surface:
    """The head's look for pictures that only a detector sees."""
    return Surface(
        faces=assets.faces.numpy(),
        colors=assets.colors.numpy(),
        gloss=assets.gloss.numpy(),
        uv_coords=assets.uv_coords.numpy(),
        uv_faces=assets.uv_faces.numpy(),
        texture=assets.texture,
    )


def observations(assets: HeadAssets) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Of each picture: MediaPipe's residuals in pixels (478, 2), their derivative by position (478, 2, 3), weight."""
    camera = portrait()
    renderer = CpuRenderer(plain_surface(assets), camera)
    focal, shift = float(camera.K[0, 0]), camera.world_to_camera[:3, 3].numpy()
    with MediaPipeDetector(follow=False) as detector:
        for expression in EXPRESSIONS:
            weights = torch.tensor([expression.get(name, 0.0) for name in ARKIT_NAMES])
            shape = assets.template + torch.einsum("e,evc->vc", weights, assets.expression_dirs)
            points = assets.mediapipe.on(shape).double().numpy()
            for yaw, pitch in VIEWS_DEG:
                turn = head_turn(yaw, pitch)
                seen = detector.detect(renderer.render((shape.double().numpy() @ turn.T).astype(np.float32)))
                if seen is None:
                    continue
                at = points @ turn.T + shift
                depth = -at[:, 2]
                pixel = np.stack([SIZE / 2 + focal * at[:, 0] / depth, SIZE / 2 - focal * at[:, 1] / depth], 1)
                rows = np.stack([turn[0], -turn[1]]) * focal
                at_rest = not expression and (yaw, pitch) == (0, 0)
                yield seen[:, :2] - pixel, rows[None] / depth[:, None, None], REST_WEIGHT if at_rest else 1.0


def mean_displacement(assets: HeadAssets) -> np.ndarray:
    """Least-squares displacement of each point that explains what MediaPipe sees, (478, 3) mm."""
    normal, right = np.zeros((478, 3, 3)), np.zeros((478, 3))
    unit = 0.0
    for residual, jacobian, weight in observations(assets):
        normal += weight * np.einsum("pia,pib->pab", jacobian, jacobian)
        right += weight * np.einsum("pia,pi->pa", jacobian, residual)
        unit += (jacobian**2).sum((1, 2)).mean() / 3
    normal += STIFFNESS * unit * np.eye(3)
    return np.linalg.solve(normal, right[..., None])[..., 0] * 1000


def evened(offsets: np.ndarray) -> np.ndarray:
    """Displacements made alike on both sides and bounded, (478, 3) mm."""
    pairs = read_measurements().pairs.copy()
    # Iris rings start on the same side of the picture in both eyes.
    pairs[468:478] = [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]
    even = (offsets + offsets[pairs] * [-1, 1, 1]) / 2
    length = np.linalg.norm(even, axis=1, keepdims=True)
    return even * np.minimum(1, LARGEST_MM / np.maximum(length, 1e-9))


def main() -> None:
    """Measure and write the table."""
    offsets = np.zeros((478, 3))
    for again in range(ROUNDS):
        offsets = evened(offsets + mean_displacement(build_head(calibrated=again > 0)))
        np.savez_compressed(CALIBRATION_PATH, offsets=offsets.astype(np.float32))
    length = np.linalg.norm(offsets, axis=1)
    print(f"{CALIBRATION_PATH}: mean displacement {length.mean():.2f} mm, largest {length.max():.2f} mm")


if __name__ == "__main__":
    main()
