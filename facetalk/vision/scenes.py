"""Scene cuts, picture by picture, through PySceneDetect."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

_SIDE = 160
"""Pictures are made this small first: a cut changes everything at once."""


class CutFinder:
    """Feed it a video's pictures in order; `cuts` then holds the numbers of the pictures that begin a new scene.

    A picture counts as a cut when it differs from the one before `ratio` times as much as its neighbours do, so that a
    moving head or camera is none, and by at least `change` (mean over hue, saturation and brightness, 0 to 255).
    """

    def __init__(self, ratio: float, change: float) -> None:
        from scenedetect.detectors import AdaptiveDetector

        self._detector = AdaptiveDetector(adaptive_threshold=ratio, min_content_val=change, min_scene_len=3)
        self._count = 0
        self._found: list[int] = []

    def add(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Look at the next picture, RGB."""
        height, width = image.shape[:2]
        shrink = min(1.0, _SIDE / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX, reducing_gap=1.0))
        self._found += self._detector.process_frame(self._count, np.ascontiguousarray(small[..., ::-1]))
        self._count += 1

    @property
    def cuts(self) -> tuple[int, ...]:
        """Numbers of the pictures that begin a new scene, increasing; the first picture of all is not among them."""
        return tuple(sorted({int(cut) for cut in self._found if cut > 0}))
