"""Face landmarks in images: MediaPipe's face mesh behind a small interface.

Two releases of MediaPipe serve it: 0.10.21 (Python below 3.13), whose wheel contains the models, and 1.2 or later,
which reads them from a `face_landmarker.task` file.
"""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, UInt8

from facetalk.core.errors import InvalidValueError, MissingAssetError
from facetalk.vision.face_finder import FaceBox
from facetalk.vision.face_landmarker_model import find_model, requested_model
from facetalk.vision.mediapipe_import import import_mediapipe
from facetalk.vision.mediapipe_solutions import SolutionsFaceFinder, SolutionsFaceMesh
from facetalk.vision.mediapipe_tasks import TasksFaceFinder, TasksFaceMesh
from facetalk.vision.native_log import muted
from facetalk.vision.small_faces import SmallFaces

__all__ = [
    "LandmarkDetector",
    "ManyFacesDetector",
    "MediaPipeDetector",
    "MediaPipeFinder",
    "describe_detector",
    "detector_name",
]


@runtime_checkable
class LandmarkDetector(Protocol):
    """Detector of the landmarks of one face, called with the frames of a video in order."""

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "478 3"] | None:
        """Return the points of the most prominent face in pixels; None without a face.

        Args:
            image: RGB.

        Returns:
            x to the right, y down, depth on the scale of x.
        """
        ...

    def close(self) -> None:
        """Free the network's memory."""
        ...


@runtime_checkable
class ManyFacesDetector(LandmarkDetector, Protocol):
    """Detector of the landmarks of all faces."""

    def detect_all(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Float[np.ndarray, "478 3"]]:
        """Return what `detect` does, for each face in no particular order."""
        ...


class MediaPipeDetector:
    """MediaPipe's face mesh with irises. Tracks the face from frame to frame."""

    def __init__(
        self, *, follow: bool = True, max_faces: int = 1, small_faces: int = 0, model_path: Path | str | None = None
    ) -> None:
        """Load the network.

        Args:
            follow: images are consecutive frames of a video; else each is searched anew.
            max_faces: largest number of faces; with more than one, each image is searched as long as some are missing,
                which costs a millisecond.
            small_faces: largest number of faces that are searched and followed where a frame shows none that the mesh
                finds by itself; with 0 a face of less than an eighth of the frame's longer side is often missed.
            model_path: a `face_landmarker.task`. If None, the file that the environment variable
                `FACETALK_FACE_LANDMARKER` names; without it the model in MediaPipe's wheel or in an installed package.

        Raises:
            MissingAssetError: there is no mediapipe, or no model for it.
        """
        mediapipe = _installed_mediapipe()
        with muted:
            self._mesh = _open_mesh(mediapipe, follow, max_faces, model_path)
            # The graph starts, and writes to stderr, in its own threads: an empty image waits for them.
            self._mesh.faces(np.zeros((64, 64, 3), np.uint8))
        self._has_seen = False
        self._small = SmallFaces(
            lambda: _open_finder(mediapipe, model_path, small=True),
            lambda: _open_mesh(mediapipe, True, 1, model_path),
            small_faces,
        )
        self._small_faces = small_faces
        self._had_large = False

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> Float32[np.ndarray, "478 3"] | None:
        """See `LandmarkDetector.detect`."""
        faces = self.detect_all(image)
        return faces[0] if faces else None

    def detect_all(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Float32[np.ndarray, "478 3"]]:
        """See `ManyFacesDetector.detect_all`.

        Raises:
            InvalidValueError: this is no RGB image.
        """
        image = checked_image(image)
        if not self._small_faces:
            return self._large_faces(image)
        followed = self._small.are_followed
        large = [] if followed else self._large_faces(image)
        with nullcontext() if followed or (large and self._had_large) else muted:  # networks may be loaded
            if large and (self._had_large or self._small.confirm(image, large)):
                self._small.forget()
                small = []
            else:
                small = self._small.faces(image)
        self._had_large = bool(large) and not small
        return small or large

    def _large_faces(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Float32[np.ndarray, "478 3"]]:
        with nullcontext() if self._has_seen else muted:
            faces = self._mesh.faces(image)
        # The last part of the graph starts, and writes, with the first face.
        self._has_seen = self._has_seen or bool(faces)
        height, width = image.shape[:2]
        scale = np.array([width, height, width], np.float32)
        return [face * scale for face in faces]

    def close(self) -> None:
        """See `LandmarkDetector.close`."""
        with muted:
            self._mesh.close()
            self._small.close()

    def __enter__(self) -> MediaPipeDetector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def checked_image(image: object) -> UInt8[np.ndarray, "height width 3"]:
    """Return an RGB image as MediaPipe takes it: any other array would be read as one, or end its graph for good.

    Raises:
        InvalidValueError: it is something else.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise InvalidValueError(
            f"an image is a uint8 array of the shape (height, width, 3), not {array.dtype} of {array.shape}"
        )
    return np.ascontiguousarray(array)


class MediaPipeFinder:
    """MediaPipe's face detector without the mesh, as a `FaceFinder`."""

    def __init__(self, *, small: bool = False, model_path: Path | str | None = None) -> None:
        """Load the network.

        Args:
            small: use a network that also finds small faces, if MediaPipe has one.
            model_path: as for `MediaPipeDetector`, and so are the errors.
        """
        mediapipe = _installed_mediapipe()
        with muted:
            self._finder = _open_finder(mediapipe, model_path, small=small)
            self._finder.boxes(np.zeros((64, 64, 3), np.uint8))
        self.smallest_tile: int = self._finder.smallest_tile

    def boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> list[FaceBox]:
        """Return the faces in an RGB image; often one too many, seldom one too few.

        Raises:
            InvalidValueError: this is no RGB image.
        """
        return self._finder.boxes(checked_image(image))

    def close(self) -> None:
        """Free the network's memory."""
        with muted:
            self._finder.close()


def describe_detector() -> str:
    """Describe the detector that `MediaPipeDetector` loads by default, and where its model comes from.

    Raises:
        MissingAssetError: as `MediaPipeDetector`.
    """
    mediapipe = _installed_mediapipe()
    if _has_solutions(mediapipe):
        return f"face mesh (Solutions API) in the wheel of mediapipe {mediapipe.__version__}"
    model = find_model()
    return f"face landmarker (Tasks API) of mediapipe {mediapipe.__version__}, model from {model.origin}: {model.path}"


def detector_name() -> str:
    """Return the name, version and license of MediaPipe's face mesh, and its model file if one was requested.

    For the metadata of a fitted motion and the keys of cached measurements; loads nothing.
    """
    try:
        name = f"MediaPipe face mesh {metadata.version('mediapipe')} (Apache-2.0)"
    except metadata.PackageNotFoundError:
        return "no MediaPipe"
    model = requested_model()
    if model is None:
        return name
    return f"{name}, {model.path.name} {hashlib.sha256(model.path.read_bytes()).hexdigest()[:8]}"


def _open_mesh(
    mediapipe: Any, follow: bool, max_faces: int, model_path: Path | str | None
) -> SolutionsFaceMesh | TasksFaceMesh:
    if _has_solutions(mediapipe, model_path):
        return SolutionsFaceMesh(mediapipe, follow=follow, max_faces=max_faces)
    return TasksFaceMesh(mediapipe, find_model(model_path).path, follow=follow, max_faces=max_faces)


def _open_finder(
    mediapipe: Any, model_path: Path | str | None, *, small: bool = False
) -> SolutionsFaceFinder | TasksFaceFinder:
    if _has_solutions(mediapipe, model_path):
        return SolutionsFaceFinder(mediapipe, small=small)
    return TasksFaceFinder(mediapipe, find_model(model_path).path)


def _has_solutions(mediapipe: Any, model_path: Path | str | None = None) -> bool:
    """Whether this release has the Solutions API with its models, and no other model file is requested."""
    return requested_model(model_path) is None and hasattr(mediapipe, "solutions")


def _installed_mediapipe() -> Any:
    try:
        return import_mediapipe()
    except ImportError:
        raise MissingAssetError(
            "tracking needs mediapipe: pip install mediapipe==0.10.21, or 'mediapipe>=1.2' from Python 3.13 on"
        ) from None
