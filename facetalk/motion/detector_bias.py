"""How the landmark detector misreads a head: where it sees each point on a render, expression by expression.

A detector that was trained on people reads a rendered mouth wider, or half-shut lids more open, than the mesh's own
points are, and by how much depends on the expression. A tracker that knows the displacement fits the mesh whose
*picture* looks like the person's, rather than the mesh whose points coincide with the person's.
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
"""Side of the pictures: more than the 192 pixels at which the detector looks at a face."""
DISTANCE_M = 1.0
FOCAL_PX = 1150.0

VIEW_DEG = (14.0, 8.0, 5.0)
"""Spread of pitch is the second; of yaw and roll the first and the last."""
GAZE_DEG = (10.0, 7.0)
IDENTITY_SPREAD = 0.7

USE: tuple[tuple[str, float, float], ...] = (
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
"""How often a channel is in use in the pictures, and its largest value, by the start of its name; later rows count."""

PRIOR_M = 0.0015
"""Expected displacement per unit of a channel."""
NOISE_M = 0.001
"""What the linear model leaves over in one picture."""
LARGEST_MISS_M = 0.008
"""Pictures whose mean residual is larger were not read as this face."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One picture: the expression, and how far each point was seen from where it is."""

    channels: Float[np.ndarray, " channels"]
    miss: Float[np.ndarray, "points 2"]
    """Right and up in the picture, metres at the point's distance."""
    axes: Float[np.ndarray, "2 3"]
    """The picture's right and up in the head's frame."""


def random_expressions(count: int, chance: torch.Generator) -> Float[Tensor, "count 52"]:
    """Faces that people could make: a few channels at a time, both sides nearly alike."""
    faces = torch.zeros(count, len(ARKIT_NAMES))
    for column, name in enumerate(ARKIT_NAMES):
        share, most = next((share, most) for start, share, most in reversed(USE) if name.startswith(start))
        level = most * torch.rand(count, generator=chance)
        faces[:, column] = torch.where(torch.rand(count, generator=chance) < share, level, 0.0)
        if name.endswith("Right") and not name.startswith(("jaw", "mouthRight")):
            other = faces[:, ARKIT_NAMES.index(name[: -len("Right")] + "Left")]
            uneven = 1 + 0.15 * torch.randn(count, generator=chance)
            faces[:, column] = (other * uneven).clamp(0, most)
    jaw, close = indices(("jawOpen", "mouthClose"))
    faces[:, close] = torch.minimum(faces[:, close], faces[:, jaw])
    return faces


def bias_camera() -> Camera:
    """In front of a head that stands in the origin."""
    pose = torch.eye(4)
    pose[2, 3] = -DISTANCE_M
    K = torch.tensor([[FOCAL_PX, 0.0, SIZE / 2], [0.0, FOCAL_PX, SIZE / 2], [0.0, 0.0, 1.0]])
    return Camera(K, (SIZE, SIZE), pose)


def readings(
    head: HeadModel, surface: Surface, detector: LandmarkDetector, count: int, chance: torch.Generator
) -> Iterator[Reading]:
    """Pictures of random faces, views and identities of a head with ARKit's channels, as the detector reads them.

    Args:
        head: its `mediapipe` points are compared.
        surface: how it looks.
        detector: one that follows the face; each picture is shown twice, so that it looks where it would in a video.
        count: of pictures; those without a face are left out.
        chance: decides everything.
    """
    renderer = CpuRenderer(surface, bias_camera())
    spread = torch.tensor([VIEW_DEG[1], VIEW_DEG[0], VIEW_DEG[2]])
    turns = axis_angle_to_matrix(torch.randn(count, 3, generator=chance) * spread * math.pi / 180)
    gaze = torch.randn(count, 2, generator=chance) * torch.tensor(GAZE_DEG) * math.pi / 180
    eyes = gaze_pose(gaze[:, 0], gaze[:, 1])
    faces = random_expressions(count, chance)
    faces[:, indices(GAZE_NAMES)] = gaze_to_channels(eyes, eyes)
    betas = (IDENTITY_SPREAD * torch.randn(count, head.num_betas, generator=chance)).clamp(-2, 2)
    poses = torch.zeros(count, 5, 3)
    poses[:, 3] = poses[:, 4] = eyes
    numbers = head.points.mediapipe_ids.numpy()
    centre = head.points.mediapipe.on(head.template).mean(0)
    for index in range(count):
        row = slice(index, index + 1)
        with torch.no_grad():
            upright = head(faces[row], poses[row], torch.zeros(1, 3), betas[index])[0]
        vertices = (upright - centre) @ turns[index].T
        image = renderer.render(vertices.numpy())
        detector.detect(image)
        seen = detector.detect(image)
        if seen is None:
            continue
        at = head.points.mediapipe.on(vertices).double().numpy()
        distance = DISTANCE_M - at[:, 2:]
        across = (seen[numbers, :2] - SIZE / 2) * [1, -1] * distance / FOCAL_PX
        yield Reading(faces[index].double().numpy(), across - at[:, :2], turns[index, :2].double().numpy())


def solve_bias(pictures: list[Reading]) -> Float[np.ndarray, "rows points 3"]:
    """The displacement that explains the pictures best: at rest, then per unit of each channel, metres (ridge)."""
    kept = [p for p in pictures if np.linalg.norm(p.miss, axis=1).mean() < LARGEST_MISS_M]
    faces = np.stack([np.concatenate([[1.0], p.channels]) for p in kept])
    axes = np.stack([p.axes for p in kept])
    # One line for each picture and axis; the views are the same for all points, so the matrix is too.
    design = np.einsum("ik,iac->iakc", faces, axes).reshape(2 * len(kept), -1)
    target = np.stack([p.miss for p in kept]).transpose(0, 2, 1).reshape(2 * len(kept), -1)
    ridge = np.full(design.shape[1], (NOISE_M / PRIOR_M) ** 2)
    solution = np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ target)
    return solution.reshape(faces.shape[1], 3, -1).transpose(0, 2, 1)


def explained(bias: Float[np.ndarray, "rows points 3"], picture: Reading) -> Float[np.ndarray, "points 2"]:
    """What a bias expects in a picture, to compare with `Reading.miss`."""
    shift = bias[0] + np.einsum("k,kpc->pc", picture.channels, bias[1:])
    return shift @ picture.axes.T
