"""Renders of fitted frames, and where the landmark detector finds its points on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

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
        camera = motion.camera
        if camera is None:
            raise ValueError("rendering needs the camera of a fitted motion")
        motion = from_view(motion, self._head)
        factor = _render_scale(self._head, motion)
        width, height = (max(MIN_SIDE, 2 * round(side * factor / 2)) for side in camera.image_size)
        view = resized_camera(camera, (width, height))
        scale = torch.tensor([camera.image_size[0] / width, camera.image_size[1] / height])
        renderer = make_renderer("cpu", head_surface(self._head.assets), view)
        images = list(rendered(renderer, posed(self._head, motion)))
        half = len(images) // 2
        rows = torch.cat([torch.from_numpy(part) for part in in_threads(_detect, [images[:half], images[half:]])])
        return rows * torch.cat([scale, scale[:1]])


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


def _render_scale(head: HeadModel, motion: Motion) -> float:
    """Factor by which renders can be smaller than the video without losing what the detector sees."""
    assert motion.camera is not None
    marks = head.points.landmarks.on(head.template)
    height = float((marks[IBUG_NASION] - marks[IBUG_CHIN]).norm())
    nearest = float((motion.transl[:, 2] + marks[IBUG_NOSE_TIP, 2]).neg().median())
    face_px = height * float(motion.camera.K[0, 0]) / max(nearest, 1e-3)
    return min(1.0, FACE_PX / face_px)
