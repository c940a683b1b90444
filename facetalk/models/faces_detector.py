"""All faces of a picture, where one is not enough."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from facetalk.models.landmark_detector import NUM_POINTS, _face_mesh_class, _quiet


@runtime_checkable
class FacesDetector(Protocol):
    """Finds the points of every face, picture after picture of a video."""

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "faces 478 3"]:
        """Points in pixels, y down, depth on the scale of x; the order of the faces means nothing."""
        ...

    def close(self) -> None:
        """Give the network's memory back."""
        ...


class MediaPipeFacesDetector:
    """MediaPipe's face mesh for several faces, as bundled in its 0.10.21 wheel."""

    def __init__(self, max_faces: int) -> None:
        with _quiet():
            self._mesh = _face_mesh_class()(refine_landmarks=True, max_num_faces=max_faces)
            # The graph starts, and writes to stderr, in threads of its own: an empty picture waits for them.
            self._mesh.process(np.zeros((64, 64, 3), np.uint8))
        self._has_seen = False

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "faces 478 3"]:
        """See `FacesDetector.detect`."""
        with nullcontext() if self._has_seen else _quiet():
            found = self._mesh.process(np.ascontiguousarray(image)).multi_face_landmarks or []
        self._has_seen = self._has_seen or bool(found)
        height, width = image.shape[:2]
        points = np.array([[(p.x, p.y, p.z) for p in face.landmark] for face in found], np.float32)
        return points.reshape(-1, NUM_POINTS, 3) * np.array([width, height, width], np.float32)

    def close(self) -> None:
        """See `FacesDetector.close`."""
        self._mesh.close()
