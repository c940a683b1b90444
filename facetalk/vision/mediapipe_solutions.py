"""Face mesh of mediapipe 0.10.21, whose models are part of the wheel: the graphs of its Solutions API."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.vision.face_finder import FaceBox, roll_deg
from facetalk.vision.mediapipe_graph import MediaPipeGraph

_LANDMARK = np.dtype([("head", "V3"), ("x", "<f4"), ("", "V1"), ("y", "<f4"), ("", "V1"), ("z", "<f4")])
"""A landmark in a serialized `NormalizedLandmarkList`: tags of one byte and, after the first, a length."""
_LEAST_SCORE = 0.5
"""Score of a face, as in the Solutions API; the mesh has this threshold already."""


class SolutionsFaceMesh:
    """Face mesh with irises. Tracks faces from frame to frame."""

    def __init__(self, mediapipe: Any, *, follow: bool, max_faces: int) -> None:
        """Load the network.

        Args:
            mediapipe: the module.
            follow: images are consecutive frames of a video; else each is searched anew.
            max_faces: largest number of faces.
        """
        self._graph = MediaPipeGraph(
            mediapipe,
            "modules/face_landmark/face_landmark_front_cpu.binarypb",
            "multi_face_landmarks",
            num_faces=max_faces,
            with_attention=True,
            use_prev_landmarks=follow,
        )

    def faces(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Float32[np.ndarray, "478 3"]]:
        """Return the points of each face: x and z in units of the image's width, y of its height."""
        return [read_landmarks(face) for face in self._graph.run(image)]

    def close(self) -> None:
        """Free the network's memory."""
        self._graph.close()


class SolutionsFaceFinder:
    """Face detector without the mesh; see `FaceFinder`."""

    smallest_tile = 240

    def __init__(self, mediapipe: Any, *, small: bool = False) -> None:
        """Load the network.

        Args:
            mediapipe: as for `SolutionsFaceMesh`.
            small: a network that sees the image on 192 x 192 pixels and finds faces of a twentieth of its longer side,
                instead of the one with 128 x 128 that the mesh starts from and that needs an eighth.
        """
        messages = import_module("mediapipe.modules.face_detection.face_detection_pb2")
        self._read = import_module("mediapipe.framework.formats.detection_pb2").Detection.FromString
        self._graph = MediaPipeGraph(
            mediapipe,
            f"modules/face_detection/face_detection_{'full' if small else 'short'}_range_cpu.binarypb",
            "detections",
            options=messages.FaceDetectionOptions(min_score_thresh=_LEAST_SCORE),
        )

    def boxes(self, image: UInt8[np.ndarray, "height width 3"]) -> list[FaceBox]:
        """Return the faces in an image."""
        height, width = image.shape[:2]
        boxes = []
        for face in map(self._read, self._graph.run(image)):
            box, marks = face.location_data.relative_bounding_box, face.location_data.relative_keypoints
            x, y = (box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height
            roll = roll_deg(np.array([(mark.x * width, mark.y * height) for mark in marks]))
            boxes.append(FaceBox(x, y, max(box.width * width, box.height * height), face.score[0], roll))
        return boxes

    def close(self) -> None:
        """Free the network's memory."""
        self._graph.close()


def read_landmarks(serialized: bytes) -> Float32[np.ndarray, "478 3"]:
    """Read a serialized list of landmarks: parsing its bytes at once is faster than reading 1434 attributes."""
    if len(serialized) != NUM_MESH_POINTS * _LANDMARK.itemsize:
        raise ValueError(f"{len(serialized)} bytes are not {NUM_MESH_POINTS} landmarks of x, y and z alone")
    table = np.frombuffer(serialized, _LANDMARK)
    return np.stack([table["x"], table["y"], table["z"]], 1)
