"""Bias of the landmark detector on rendered heads: the displacement of each detected point, by expression.

A detector trained on people sees a rendered mouth wider, or half-closed eyelids more open, than the mesh's own points
are, depending on the expression. A tracker that knows the bias fits the mesh whose *image* looks like the person's,
not the mesh whose points coincide with the person's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.gaze import gaze_pose, gaze_to_channels
from facetalk.head.model import HeadModel
from facetalk.rendering.renderer import CpuRenderer
from facetalk.rendering.surface import Surface
from facetalk.vision.landmark_detector import LandmarkDetector

SIZE = 320
"""Side of the images, pixels; the detector scales a face to 192 pixels."""
DISTANCE_M = 1.0
FOCAL_PX = 1150.0

VIEW_DEG = (8.0, 14.0, 5.0)
"""Standard deviations of pitch, yaw and roll."""
GAZE_DEG = (10.0, 7.0)
"""Standard deviations of yaw and pitch."""
IDENTITY_SPREAD = 0.7
"""Standard deviation of the identity coefficients."""

CHANNEL_USE: tuple[tuple[str, float, float], ...] = (
    ("", 0.2, 0.6),
    ("jawOpen", 0.65, 0.7),
    ("eyeBlink", 0.5, 1.0),
    ("eyeSquint", 0.3, 0.8),
    ("eyeWide", 0.25, 0.8),
    ("brow", 0.3, 1.0),
    ("mouthSmile", 0.35, 0.9),
    ("mouthPucker", 0.3, 0.8),
    ("mouthFunnel", 0.3, 0.8),
    ("cheekPuff", 0.1, 0.5),
    ("tongueOut", 0.0, 0.0),
)
"""How often a channel is active in the images and its largest value, by name prefix; later rows override earlier."""

PRIOR_M = 0.0015
"""Expected displacement per unit of a channel, meters."""
NOISE_M = 0.001
"""Expected residual of the linear model in one image, meters."""
MAX_RESIDUAL_M = 0.008
"""Images with a larger mean residual are discarded: the detector did not find this face."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One image: its expression, and the offset of each detected point from the mesh's own."""

    channels: Float[np.ndarray, " channels"]
    residual: Float[np.ndarray, "points 2"]
    """Right and up in the image, meters at the point's distance."""
    axes: Float[np.ndarray, "2 3"]
    """The image's right and up directions in the head's frame."""


def random_expressions(count: int, generator: torch.Generator) -> Float[Tensor, "count 52"]:
    """Sample plausible expressions: a few channels at a time, both sides nearly alike."""
    faces = torch.zeros(count, len(ARKIT_NAMES))
    for column, name in enumerate(ARKIT_NAMES):
        share, most = next((share, most) for start, share, most in reversed(CHANNEL_USE) if name.startswith(start))
        level = most * torch.rand(count, generator=generator)
        faces[:, column] = torch.where(torch.rand(count, generator=generator) < share, level, 0.0)
        if name.endswith("Right") and not name.startswith(("jaw", "mouthRight")):
            other = faces[:, ARKIT_NAMES.index(name[: -len("Right")] + "Left")]
            uneven = 1 + 0.15 * torch.randn(count, generator=generator)
            faces[:, column] = (other * uneven).clamp(0, most)
    jaw, close = indices(("jawOpen", "mouthClose"))
    faces[:, close] = torch.minimum(faces[:, close], faces[:, jaw])
    return faces


def bias_camera() -> Camera:
    """A camera in front of a head at the origin."""
    pose = torch.eye(4)
    pose[2, 3] = -DISTANCE_M
    K = torch.tensor([[FOCAL_PX, 0.0, SIZE / 2], [0.0, FOCAL_PX, SIZE / 2], [0.0, 0.0, 1.0]])
    return Camera(K, (SIZE, SIZE), pose)


def readings(
    head: HeadModel, surface: Surface, detector: LandmarkDetector, count: int, generator: torch.Generator
) -> Iterator[Reading]:
    """Render random expressions, views and identities of a head with ARKit's channels, and detect its points.

    Args:
        head: its `mediapipe` points are compared with the detections.
        surface: the head's surface.
        detector: one that tracks; each image is shown twice, so that it crops as in a video.
        count: number of images; those without a detected face are omitted.
        generator: source of randomness.
    """
    renderer = CpuRenderer(surface, bias_camera())
    spread = torch.tensor(VIEW_DEG)
    turns = axis_angle_to_matrix(torch.randn(count, 3, generator=generator) * spread * math.pi / 180)
    gaze = torch.randn(count, 2, generator=generator) * torch.tensor(GAZE_DEG) * math.pi / 180
    eyes = gaze_pose(gaze[:, 0], gaze[:, 1])
    faces = random_expressions(count, generator)
    faces[:, indices(GAZE_NAMES)] = gaze_to_channels(eyes, eyes)
    betas = (IDENTITY_SPREAD * torch.randn(count, head.num_betas, generator=generator)).clamp(-2, 2)
    poses = torch.zeros(count, 5, 3)
    poses[:, 3] = poses[:, 4] = eyes
    numbers = head.points.mediapipe_ids.numpy()
    center = head.points.mediapipe.on(head.template).mean(0)
    for index in range(count):
        row = slice(index, index + 1)
        with torch.no_grad():
            upright = head(faces[row], poses[row], torch.zeros(1, 3), betas[index])[0]
        vertices = (upright - center) @ turns[index].T
        image = renderer.render(vertices.numpy())
        detector.detect(image)
        seen = detector.detect(image)
        if seen is None:
            continue
        at = head.points.mediapipe.on(vertices).double().numpy()
        distance = DISTANCE_M - at[:, 2:]
        across = (seen[numbers, :2] - SIZE / 2) * [1, -1] * distance / FOCAL_PX
        yield Reading(faces[index].double().numpy(), across - at[:, :2], turns[index, :2].double().numpy())


def solve_bias(images: list[Reading]) -> Float[np.ndarray, "rows points 3"]:
    """Ridge regression of the displacement of each point: at rest, then per unit of each channel, meters."""
    kept = [p for p in images if np.linalg.norm(p.residual, axis=1).mean() < MAX_RESIDUAL_M]
    faces = np.stack([np.concatenate([[1.0], p.channels]) for p in kept])
    axes = np.stack([p.axes for p in kept])
    # One row per image and axis. All points share the views and therefore the matrix.
    design = np.einsum("ik,iac->iakc", faces, axes).reshape(2 * len(kept), -1)
    target = np.stack([p.residual for p in kept]).transpose(0, 2, 1).reshape(2 * len(kept), -1)
    ridge = np.full(design.shape[1], (NOISE_M / PRIOR_M) ** 2)
    solution = np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ target)
    return solution.reshape(faces.shape[1], 3, -1).transpose(0, 2, 1)


def explained(bias: Float[np.ndarray, "rows points 3"], image: Reading) -> Float[np.ndarray, "points 2"]:
    """Residual that a bias predicts for an image, to compare with `Reading.residual`."""
    shift = bias[0] + np.einsum("k,kpc->pc", image.channels, bias[1:])
    return shift @ image.axes.T
