"""Face landmarks in pictures: MediaPipe's face mesh behind a small interface."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

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
        with _quiet:
            self._mesh = _solutions().face_mesh.FaceMesh(
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
        with nullcontext() if self._has_seen else _quiet:
            found = self._mesh.process(np.ascontiguousarray(image)).multi_face_landmarks
        if not found:
            return []
        # The last part of the graph starts, and writes, with the first face.
        self._has_seen = True
        height, width = image.shape[:2]
        scale = np.array([width, height, width], np.float32)
        return [read_landmarks(face.SerializeToString()) * scale for face in found]

    def close(self) -> None:
        """See `LandmarkDetector.close`."""
        self._mesh.close()

    def __enter__(self) -> MediaPipeDetector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MediaPipeCounter:
    """How many faces are in a picture: the part of MediaPipe that finds them, without their points."""

    def __init__(self) -> None:
        """Load the network."""
        with _quiet:
            self._finder = _solutions().face_detection.FaceDetection()
            self._finder.process(np.zeros((64, 64, 3), np.uint8))

    def count(self, image: np.ndarray) -> int:
        """Faces in a uint8 RGB picture; often one too many, seldom one too few."""
        return len(self._finder.process(np.ascontiguousarray(image)).detections or ())

    def close(self) -> None:
        """Give the network's memory back."""
        self._finder.close()


_LANDMARK = np.dtype([("head", "V3"), ("x", "<f4"), ("", "V1"), ("y", "<f4"), ("", "V1"), ("z", "<f4")])
"""A landmark in a serialised `NormalizedLandmarkList`: tags of one byte and, after the first, a length."""


def read_landmarks(serialized: bytes) -> np.ndarray:
    """Points (478, 3) of a serialised list of landmarks: one look at its bytes is faster than 1434 attributes."""
    if len(serialized) != NUM_POINTS * _LANDMARK.itemsize:
        raise ValueError(f"{len(serialized)} bytes are not {NUM_POINTS} landmarks of x, y and z alone")
    table = np.frombuffer(serialized, _LANDMARK)
    return np.stack([table["x"], table["y"], table["z"]], 1)


def _solutions() -> Any:
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import mediapipe

        return mediapipe.solutions  # type: ignore[attr-defined]
    except (ImportError, AttributeError):
        raise MissingAssetError(
            "tracking needs mediapipe 0.10.21 with its bundled face mesh: pip install mediapipe==0.10.21"
        ) from None


class _Quiet:
    """Within the block nothing appears that native code writes to stderr: MediaPipe logs before it reads its log level.

    Blocks of several threads may overlap: the first one turns the stream away, the last one turns it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._kept = -1

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                sys.stderr.flush()
                self._kept = os.dup(2)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 2)
                os.close(nowhere)

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                os.dup2(self._kept, 2)
                os.close(self._kept)


_quiet = _Quiet()
