"""Where MediaPipe itself sees its points on the finished head, relative to where the sculptor put them.

`python -m facetalk.sculpting.calibrating` renders the head in several poses and expressions, runs MediaPipe on the
pictures and writes the mean displacement of each of the 478 points to `calibration.npz` beside this module; then it
measures on pictures of random faces how that displacement changes with each channel, and adds it to the file. Run it
again whenever the face's shape, channels or paint have changed (two minutes), then rebuild the head.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.core.types import Camera
from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.head.look import mouth_exposure, translucency
from facetalk.head.model import HeadAssets, HeadModel
from facetalk.models.detector_bias import readings, solve_bias
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

LARGEST_MM = 6.0

PICTURES = 2500
"""Of random faces, for the displacement by channel."""


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
        translucency=translucency(assets),
        exposure=mouth_exposure(assets),
    )


def observations(assets: HeadAssets) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each picture: MediaPipe's residuals in pixels (478, 2) and their derivative by position (478, 2, 3)."""
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
                yield seen[:, :2] - pixel, rows[None] / depth[:, None, None]


def mean_displacement(assets: HeadAssets) -> np.ndarray:
    """Least-squares displacement of each point that explains what MediaPipe sees, (478, 3) mm."""
    normal, right = np.zeros((478, 3, 3)), np.zeros((478, 3))
    unit = 0.0
    for residual, jacobian in observations(assets):
        normal += np.einsum("pia,pib->pab", jacobian, jacobian)
        right += np.einsum("pia,pi->pa", jacobian, residual)
        unit += (jacobian**2).sum((1, 2)).mean() / 3
    normal += STIFFNESS * unit * np.eye(3)
    return np.linalg.solve(normal, right[..., None])[..., 0] * 1000


def point_partners() -> np.ndarray:
    """Number of the point on the other side of the face for each of the 478."""
    pairs = read_measurements().pairs.copy()
    # Iris rings start on the same side of the picture in both eyes.
    pairs[468:478] = [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]
    return pairs


def channel_displacements(assets: HeadAssets, count: int = PICTURES) -> np.ndarray:
    """`HeadAssets.detector_bias` of a head, alike on both sides, (53, 478, 3) metres."""
    head, chance = HeadModel(replace(assets, detector_bias=None)).eval(), torch.Generator().manual_seed(0)
    with MediaPipeDetector() as detector:
        measured = solve_bias(list(readings(head, plain_surface(assets), detector, count, chance)))
    others = [0, *(1 + ARKIT_NAMES.index(mirrored(name)) for name in ARKIT_NAMES)]
    return (measured + measured[others][:, point_partners()] * [-1, 1, 1]) / 2


def main() -> None:
    """Measure and write the tables."""
    measured = mean_displacement(build_head(calibrated=False))
    even = (measured + measured[point_partners()] * [-1, 1, 1]) / 2
    length = np.linalg.norm(even, axis=1, keepdims=True)
    even *= np.tanh(length / LARGEST_MM) * LARGEST_MM / np.maximum(length, 1e-9)
    tables = {"offsets": even.astype(np.float32), "by_channel": np.zeros((1 + len(ARKIT_NAMES), 478, 3), np.float16)}
    np.savez_compressed(CALIBRATION_PATH, **tables)
    print(f"{CALIBRATION_PATH}: mean displacement {length.mean():.2f} mm, largest {length.max():.2f} mm")
    tables["by_channel"] = channel_displacements(build_head()).astype(np.float16)
    np.savez_compressed(CALIBRATION_PATH, **tables)
    size = np.linalg.norm(tables["by_channel"][1:].astype(np.float32), axis=-1) * 1000
    print(f"{CALIBRATION_PATH}: {size.mean():.2f} mm per channel, largest {size.max():.2f} mm")


if __name__ == "__main__":
    main()
