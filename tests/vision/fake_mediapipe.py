"""A stand-in for the module `mediapipe` with the Tasks API, without networks."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np


class RunningMode(enum.Enum):
    IMAGE = 1
    VIDEO = 2


@dataclass
class Calls:
    """What the detectors were asked."""

    options: list[Any] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    closed: int = 0


def make_mediapipe(faces: list[np.ndarray], error: Exception | None = None) -> tuple[SimpleNamespace, Calls]:
    """Make the module and the record of its calls.

    Args:
        faces: normalized points that every image shows; images that are zero everywhere show none.
        error: raised when a network is loaded.
    """
    calls = Calls()

    class Task:
        def __init__(self, options: SimpleNamespace) -> None:
            self.mode = options.running_mode

        @classmethod
        def create_from_options(cls, options: SimpleNamespace) -> Task:
            if error is not None:
                raise error
            calls.options.append(options)
            return cls(options)

        def detect(self, image: SimpleNamespace) -> SimpleNamespace:
            assert self.mode is RunningMode.IMAGE
            return self._result(image)

        def detect_for_video(self, image: SimpleNamespace, timestamp_ms: int) -> SimpleNamespace:
            assert self.mode is RunningMode.VIDEO
            calls.timestamps_ms.append(timestamp_ms)
            return self._result(image)

        def close(self) -> None:
            calls.closed += 1

        def _result(self, image: SimpleNamespace) -> SimpleNamespace:
            calls.images.append(image.data)
            shown = faces if image.data.any() else []
            points = [[SimpleNamespace(x=x, y=y, z=z) for x, y, z in face] for face in shown]
            # Right eye, left eye, nose, mouth of an upright face.
            marks = [SimpleNamespace(x=x, y=y) for x, y in ((0.4, 0.3), (0.6, 0.3), (0.5, 0.4), (0.5, 0.5))]
            detection = SimpleNamespace(
                bounding_box=SimpleNamespace(origin_x=10, origin_y=20, width=30, height=40),
                keypoints=marks,
                categories=[SimpleNamespace(score=0.9)],
            )
            return SimpleNamespace(face_landmarks=points, detections=[detection] * len(shown))

    def options(running_mode: RunningMode = RunningMode.IMAGE, **others: object) -> SimpleNamespace:
        return SimpleNamespace(running_mode=running_mode, **others)

    vision = SimpleNamespace(
        RunningMode=RunningMode,
        FaceLandmarker=Task,
        FaceLandmarkerOptions=options,
        FaceDetector=Task,
        FaceDetectorOptions=options,
    )
    module = SimpleNamespace(
        __version__="1.2.0",
        tasks=SimpleNamespace(vision=vision, BaseOptions=SimpleNamespace),
        Image=SimpleNamespace,
        ImageFormat=SimpleNamespace(SRGB="SRGB"),
    )
    return module, calls
