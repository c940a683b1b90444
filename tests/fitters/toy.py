"""A detector that needs no face, videos for it, and the toy head in place of the real one."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.fitters import detect, landmarks
from facetalk.fitters.following import WholeFollower
from facetalk.head.model import HeadModel
from facetalk.io.video_writer import VideoWriter
from tests.tracking.synthetic import IMAGE_SIZE, make_point_head, see, swaying

NUM_FRAMES = 12
SIZE = (160, 120)


class FakeDetector:
    """Detects a swaying face, except in frames that are black."""

    def __init__(self, head: HeadModel) -> None:
        turn, transl = swaying(200)
        self._points = see(head, torch.zeros(200, 52), turn, transl, torch.zeros(4)).numpy()
        self._count = 0

    def detect(self, image: np.ndarray) -> np.ndarray | None:
        if image.mean() < 20:
            return None
        self._count += 1
        scale = np.array([image.shape[1] / IMAGE_SIZE[0], image.shape[0] / IMAGE_SIZE[1], 1], np.float32)
        return self._points[self._count - 1] * scale

    def detect_all(self, image: np.ndarray) -> list[np.ndarray]:
        points = self.detect(image)
        return [] if points is None else [points]

    def close(self) -> None:
        self._count = 0


def write_clip(path: Path, brightness: int, size: tuple[int, int] = SIZE) -> Path:
    """A uniform video at 25 fps with audio."""
    audio = 0.1 * torch.sin(torch.arange(8000) * 0.2)
    with VideoWriter(path, size, 25.0, audio) as writer:
        for _ in range(NUM_FRAMES):
            writer.write(np.full((size[1], size[0], 3), brightness, np.uint8))
    return path


def use_fake_detector(monkeypatch: pytest.MonkeyPatch, head: HeadModel) -> None:
    """Replace MediaPipe in this process."""
    monkeypatch.setattr(detect, "MediaPipeFollower", lambda: nullcontext(WholeFollower(FakeDetector(head))))
    monkeypatch.setattr(detect, "mediapipe_orientation", lambda: nullcontext(None))
    monkeypatch.setattr(detect, "FOLLOWERS", 1)
    monkeypatch.setattr(landmarks, "RenderedReader", lambda head: None)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return make_point_head()
