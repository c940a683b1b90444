"""Face landmarks in pictures: MediaPipe's face mesh behind a small interface."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Protocol, runtime_checkable

import numpy as np

from facetalk.core.errors import MissingAssetError

NUM_POINTS = 478


@runtime_checkable
class LandmarkDetector(Protocol):
    """Finds the points of one face, picture after picture of a video."""

    def detect(self, image: np.ndarray) -> np.ndarray | None:
        """Points (478, 3) of the most prominent face in pixels, y down, depth on the scale of x; None without a face.

        Args:
            image: uint8 RGB (height, width, 3).
        """
        ...

    def close(self) -> None:
        """Give the network's memory back."""
        ...


@runtime_checkable
class ManyFacesDetector(LandmarkDetector, Protocol):
    """Finds the points of all faces."""

    def detect_all(self, image: np.ndarray) -> list[np.ndarray]:
        """As `detect`, for each face in no particular order."""
        ...


class MediaPipeDetector:
    """MediaPipe's face mesh with irises, as bundled in its 0.10.21 wheel. Follows the face from frame to frame."""

    def __init__(self, *, follow: bool = True, max_faces: int = 1) -> None:
        """Load the network.

        Args:
            follow: pictures are consecutive frames of a video; else each is searched anew.
            max_faces: that are looked for; with more than one, the picture is searched as long as some are missing,
                which costs a millisecond.
        """
        with _quiet():
            self._mesh = _face_mesh_class()(
                static_image_mode=not follow, refine_landmarks=True, max_num_faces=max_faces
            )
            # The graph starts, and writes to stderr, in threads of its own: an empty picture waits for them.
            self._mesh.process(np.zeros((64, 64, 3), np.uint8))
        self._has_seen = False

    def detect(self, image: np.ndarray) -> np.ndarray | None:
        """See `LandmarkDetector.detect`."""
        faces = self.detect_all(image)
        return faces[0] if faces else None

    def detect_all(self, image: np.ndarray) -> list[np.ndarray]:
        """See `ManyFacesDetector.detect_all`."""
        with nullcontext() if self._has_seen else _quiet():
            found = self._mesh.process(np.ascontiguousarray(image)).multi_face_landmarks
        if not found:
            return []
        # The last part of the graph starts, and writes, with the first face.
        self._has_seen = True
        height, width = image.shape[:2]
        scale = np.array([width, height, width], np.float32)
        return [np.array([(p.x, p.y, p.z) for p in face.landmark], np.float32) * scale for face in found]

    def close(self) -> None:
        """See `LandmarkDetector.close`."""
        self._mesh.close()

    def __enter__(self) -> MediaPipeDetector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _face_mesh_class():
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import mediapipe

        return mediapipe.solutions.face_mesh.FaceMesh  # type: ignore[attr-defined]
    except (ImportError, AttributeError):
        raise MissingAssetError(
            "tracking needs mediapipe 0.10.21 with its bundled face mesh: pip install mediapipe==0.10.21"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing that native code writes to stderr appears: MediaPipe logs before its log level is read."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
