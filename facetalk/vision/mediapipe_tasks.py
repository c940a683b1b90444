"""Face mesh of mediapipe 1.2 and later: the Tasks API with a `face_landmarker.task` file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from facetalk.core.errors import MissingAssetError
from facetalk.vision.face_finder import FaceBox, roll_deg

_STEP_MS = 10**8
"""Time from one frame to the next as the Tasks API is told. With one face it smooths the points in time by a one-euro
filter (Casiez et al. 2012), which hides fast lip movements; a step much longer than the filter's time constant of
3 seconds switches it off. Timestamps still fit into MediaPipe's 64 bits of microseconds for 90 million frames."""


class TasksFaceMesh:
    """Face mesh with irises. Tracks a single face from frame to frame."""

    def __init__(self, mediapipe: Any, model_path: Path, *, follow: bool, max_faces: int) -> None:
        """Load the network.

        Args:
            mediapipe: the module.
            model_path: a `face_landmarker.task`.
            follow: images are consecutive frames of a video; else each is searched anew.
            max_faces: largest number of faces.
        """
        self._mediapipe = mediapipe
        self._follow = follow
        self._num_frames = 0
        vision = mediapipe.tasks.vision
        options = vision.FaceLandmarkerOptions(
            base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(model_path)),
            running_mode=vision.RunningMode.VIDEO if follow else vision.RunningMode.IMAGE,
            num_faces=max_faces,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise _unreadable(model_path, error) from None

    def faces(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Float32[np.ndarray, "478 3"]]:
        """Return the points of each face: x and z in units of the image's width, y of its height."""
        wrapped = _wrap(self._mediapipe, image)
        if self._follow:
            result = self._landmarker.detect_for_video(wrapped, self._num_frames * _STEP_MS)
            self._num_frames += 1
        else:
            result = self._landmarker.detect(wrapped)
        return [np.array([(point.x, point.y, point.z) for point in face], np.float32) for face in result.face_landmarks]

    def close(self) -> None:
        """Free the network's memory."""
        self._landmarker.close()


class TasksFaceFinder:
    """Face detector without the mesh: the first of the networks in the model file; see `FaceFinder`."""

    smallest_tile = 160

    def __init__(self, mediapipe: Any, model_path: Path) -> None:
        """Load the network; arguments as for `TasksFaceMesh`."""
        self._mediapipe = mediapipe
        vision = mediapipe.tasks.vision
        try:
            with zipfile.ZipFile(model_path) as bundle:
                network = bundle.read("face_detector.tflite")
            base_options = mediapipe.tasks.BaseOptions(model_asset_buffer=network)
            self._detector = vision.FaceDetector.create_from_options(
                vision.FaceDetectorOptions(base_options=base_options)
            )
        except (KeyError, zipfile.BadZipFile, RuntimeError, ValueError) as error:
            raise _unreadable(model_path, error) from None

    def boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> list[FaceBox]:
        """Return the faces in an image."""
        height, width = image.shape[:2]
        boxes = []
        for face in self._detector.detect(_wrap(self._mediapipe, image)).detections:
            box = face.bounding_box
            x, y = box.origin_x + box.width / 2, box.origin_y + box.height / 2
            roll = roll_deg(np.array([(mark.x * width, mark.y * height) for mark in face.keypoints]))
            boxes.append(FaceBox(x, y, max(box.width, box.height), face.categories[0].score, roll))
        return boxes

    def close(self) -> None:
        """Free the network's memory."""
        self._detector.close()


def _wrap(mediapipe: Any, image: UInt8[np.ndarray, "height width 3"]) -> Any:
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


def _unreadable(model_path: Path, error: Exception) -> MissingAssetError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return MissingAssetError(f"{model_path} is no face landmarker that mediapipe reads ({reason})")
