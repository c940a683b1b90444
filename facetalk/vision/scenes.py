"""Scene cuts, frame by frame, with PySceneDetect."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

_SIDE = 160
"""Longest side of the frames that are compared, pixels: a cut changes the whole frame."""


class CutFinder:
    """Finds the frames of a video that begin a new scene.

    A frame counts as a cut when its change is `ratio` times that of its neighbors, which excludes moving heads and
    cameras, and at least `change` (mean over hue, saturation and brightness, 0 to 255).
    """

    def __init__(self, ratio: float, change: float) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._detector = AdaptiveDetector(adaptive_threshold=ratio, min_content_val=change, min_scene_len=3)
        self._count = 0
        self._found: list[int] = []

    def add(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Process the next frame, RGB."""
        height, width = image.shape[:2]
        shrink = min(1.0, _SIDE / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX, reducing_gap=1.0))
        self._found += self._detector.process_frame(self._count, np.ascontiguousarray(small[..., ::-1]))
        self._count += 1

    @property
    def cuts(self) -> tuple[int, ...]:
        """Indices of the frames that begin a new scene, increasing, without the first frame of the video."""
        return tuple(sorted({int(cut) for cut in self._found if cut > 0}))
