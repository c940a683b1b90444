"""Renders of fitted frames, and where the landmark detector finds its points on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.landmarks import IBUG_CHIN, IBUG_NASION, IBUG_NOSE_TIP, NUM_MESH_POINTS
from facetalk.core.motion import Motion
from facetalk.core.threads import in_threads
from facetalk.head.model import HeadModel
from facetalk.motion.arkit_view import from_view
from facetalk.motion.frames import make_renderer, posed, rendered
from facetalk.motion.head_surface import head_surface
from facetalk.rendering.camera import resized_camera
from facetalk.vision.landmark_detector import MediaPipeDetector

FACE_PX = 150.0
"""Wanted distance from nasion to chin, roughly the width of a face: the detector works on 192 pixels per face."""
MIN_SIDE = 96
"""Smallest side of a render, pixels."""
MAX_SIDE = 1280
"""Largest side of an enlarged render, pixels."""
_HEAD_RADIUS_M = 0.16
"""Of a sphere around the middle of a head that holds all of it."""
_SMALL_PART = 0.5
"""Only the part of the frame in which the head moves is rendered if its longer side is at most this share of the
frame's: the detector would miss a face that is small in a render."""


class RenderedReader:
    """MediaPipe's points on renders of a head; see `tracking.read_back.ReadBack`."""

    def __init__(self, head: HeadModel) -> None:
        """Choose the head.

        Args:
            head: the head itself, not its `arkit_view`.
        """
        self._head = head

    def __call__(self, motion: Motion) -> Float[Tensor, "frames 478 3"]:
        """Points in the pixels of the motion's camera; rows of NaN where no face was found."""
        left, top, scale, images = self.render(motion)
        half = len(images) // 2
        rows = torch.cat([torch.from_numpy(part) for part in in_threads(_detect, [images[:half], images[half:]])])
        return rows * torch.cat([scale, scale[:1]]) + torch.tensor([left, top, 0.0])

    def render(self, motion: Motion) -> Renders:
        """Frames of a motion in which the detector finds the face."""
        camera = motion.camera
        if camera is None:
            raise ValueError("rendering needs the camera of a fitted motion")
        motion = from_view(motion, self._head)
        left, top, part = part_with_head(self._head, motion, camera)
        factor = FACE_PX / _face_px(self._head, motion, camera)
        factor = min(1.0, factor) if part is camera else min(factor, MAX_SIDE / max(part.image_size))
        width, height = (max(MIN_SIDE, 2 * round(side * factor / 2)) for side in part.image_size)
        view = resized_camera(part, (width, height))
        scale = torch.tensor([part.image_size[0] / width, part.image_size[1] / height])
        renderer = make_renderer("cpu", head_surface(self._head.assets), view)
        return Renders(left, top, scale, list(rendered(renderer, posed(self._head, motion))))


class Renders(NamedTuple):
    """Frames of a motion, or a part of each."""

    left: float
    """Of the part in the frame of the motion's camera, pixels."""
    top: float
    scale: Float[Tensor, "2"]
    """Pixels of that frame for each one of a render: x and y."""
    images: list[np.ndarray]


def _detect(images: Sequence[np.ndarray]) -> Float[np.ndarray, "frames 478 3"]:
    """MediaPipe's points on several images; rows of NaN where no face was found."""
    rows = np.full((len(images), NUM_MESH_POINTS, 3), np.nan, np.float32)
    with MediaPipeDetector() as detector:
        for index, image in enumerate(images):
            # The second detection starts from the face of the first, as in a video.
            points = None if detector.detect(image) is None else detector.detect(image)
            if points is not None:
                rows[index] = points
    return rows


def part_with_head(head: HeadModel, motion: Motion, camera: Camera) -> tuple[float, float, Camera]:
    """Left and top of the part of the frame in which the head moves, pixels, and a camera that shows only this part.

    The camera itself where the part is not much smaller than the frame.
    """
    middle = motion.transl + head.template.mean(0)
    distance = (-middle[:, 2]).clamp_min(1e-3)[:, None]
    focal = float(camera.K[0, 0])
    centers = camera.K[:2, 2] + middle[:, :2] * torch.tensor([1.0, -1.0]) * focal / distance
    reach = _HEAD_RADIUS_M * focal / distance
    size = torch.tensor(camera.image_size)
    low = (centers - reach).amin(0).clamp_min(0).floor().minimum(size - 2)
    high = (centers + reach).amax(0).ceil().minimum(size).maximum(low + 2)
    if float((high - low).max()) > _SMALL_PART * max(camera.image_size):
        return 0.0, 0.0, camera
    K = camera.K.clone()
    K[:2, 2] -= low
    width, height = (high - low).int().tolist()
    return float(low[0]), float(low[1]), replace(camera, K=K, image_size=(width, height))


def _face_px(head: HeadModel, motion: Motion, camera: Camera) -> float:
    """Usual height of the face from nasion to chin in the frame, pixels."""
    marks = head.points.landmarks.on(head.template)
    height = float((marks[IBUG_NASION] - marks[IBUG_CHIN]).norm())
    nearest = float((motion.transl[:, 2] + marks[IBUG_NOSE_TIP, 2]).neg().median())
    return height * float(camera.K[0, 0]) / max(nearest, 1e-3)
