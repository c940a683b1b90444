"""Fitted frames, rendered and shown to the landmark detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.core.threads import in_threads
from facetalk.core.types import Motion
from facetalk.head.model import HeadModel
from facetalk.motion.appearance import head_surface
from facetalk.motion.frames import make_renderer, posed, rendered
from facetalk.motion.retarget import from_view
from facetalk.rendering.camera import resized_camera
from facetalk.vision.landmark_detector import MediaPipeDetector

FACE_PX = 150.0
"""Wanted distance of the outer eye corners to the chin, roughly a face's width: the detector looks at 192 pixels."""
SMALLEST_SIDE = 96


class RenderedReader:
    """Where MediaPipe sees its points on pictures of a head; see `tracking.read_back.ReadBack`."""

    def __init__(self, head: HeadModel) -> None:
        """Remember the head.

        Args:
            head: the real one, not its `arkit_view`.
        """
        self._head = head

    def __call__(self, motion: Motion) -> Float[Tensor, "frames 478 3"]:
        """Points in the pixels of the motion's camera."""
        camera = motion.camera
        if camera is None:
            raise ValueError("the pictures need the camera of a fitted motion")
        motion = from_view(motion, self._head)
        wanted = _shrinking(self._head, motion)
        size = tuple(max(SMALLEST_SIDE, 2 * round(side * wanted / 2)) for side in camera.image_size)
        view = resized_camera(camera, (size[0], size[1]))
        scale = torch.tensor([whole / small for whole, small in zip(camera.image_size, size, strict=True)])
        renderer = make_renderer("cpu", head_surface(self._head.assets), view)
        images = list(rendered(renderer, posed(self._head, motion)))
        half = len(images) // 2
        rows = torch.cat([torch.from_numpy(part) for part in in_threads(_look, [images[:half], images[half:]])])
        return rows * torch.cat([scale, scale[:1]])


def _look(images: Sequence[np.ndarray]) -> Float[np.ndarray, "frames 478 3"]:
    """MediaPipe's points on some pictures, NaN where it sees no face."""
    rows = np.full((len(images), NUM_MESH_POINTS, 3), np.nan, np.float32)
    with MediaPipeDetector() as detector:
        for index, image in enumerate(images):
            # The second look starts from the first one's face, as in a video.
            seen = None if detector.detect(image) is None else detector.detect(image)
            if seen is not None:
                rows[index] = seen
    return rows


def _shrinking(head: HeadModel, motion: Motion) -> float:
    """By how much pictures can be made smaller without losing what the detector looks at."""
    assert motion.camera is not None
    marks = head.assets.landmarks.on(head.template)
    height = float((marks[27] - marks[8]).norm())
    nearest = float((motion.transl[:, 2] + marks[30, 2]).neg().median())
    face_px = height * float(motion.camera.K[0, 0]) / max(nearest, 1e-3)
    return min(1.0, FACE_PX / face_px)
