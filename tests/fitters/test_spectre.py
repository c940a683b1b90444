from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.data.tracked_renderer import TrackedRenderer
from facetalk.fitters import spectre
from facetalk.fitters.refine import RefineSettings
from facetalk.fitters.spectre import SpectreFitter
from facetalk.head.model import HeadModel
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.heads import load_head
from facetalk.networks.lip_reader import LipReaderConfig, PhonemeLipReader
from tests.recipes.toy_faces import IMAGE_SIZE, mediapipe_points, tiny_encoder, video_clip

NUM_FRAMES = 15


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


class Pointer:
    """Returns the points of a known face, frame by frame."""

    def __init__(self, points: np.ndarray) -> None:
        self._points = iter(points)

    def detect(self, image: np.ndarray) -> np.ndarray | None:
        return next(self._points)

    def close(self) -> None: ...


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, head: HeadModel) -> None:
    """Small untrained networks instead of the released ones."""
    reader = PhonemeLipReader(LipReaderConfig(width=2, hidden=4)).eval()
    monkeypatch.setattr(spectre, "load_face_encoder", lambda name: tiny_encoder(head.num_betas))
    monkeypatch.setattr(spectre, "load_lip_reader", lambda: reader)


@pytest.fixture
def clip(tmp_path: Path, head: HeadModel) -> tuple[Path, Pointer]:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, IMAGE_SIZE, 25.0, torch.zeros(8000)) as writer:
        for shade in range(NUM_FRAMES):
            writer.write(np.full((*IMAGE_SIZE[::-1], 3), 100 + 5 * shade, np.uint8))
    vertices = TrackedRenderer(head).vertices(video_clip(head, NUM_FRAMES), torch.arange(NUM_FRAMES))
    return path, Pointer(mediapipe_points(head, vertices).numpy())


@pytest.mark.usefixtures("tiny")
def test_a_video_becomes_a_motion_that_lies_over_it(clip: tuple[Path, Pointer], head: HeadModel) -> None:
    path, detector = clip
    motion = SpectreFitter(detector=detector).fit(path, head)
    assert motion.num_frames == round(NUM_FRAMES / 25 * 30) and motion.head == head.name
    assert motion.camera is not None and motion.camera.image_size == IMAGE_SIZE
    assert motion.expression.min() >= 0 and motion.expression.max() <= 1
    assert motion.fit_error is not None and float(motion.fit_error.mean()) < 0.1
    assert motion.meta["command"] == "fit --method spectre" and "refined" not in motion.meta


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_refinement_is_reported_in_the_motion_file(clip: tuple[Path, Pointer], tmp_path: Path, head: HeadModel) -> None:
    path, detector = clip
    settings = RefineSettings(passes=2, learning_rate=1e-3)
    motion = SpectreFitter(True, settings=settings, detector=detector).fit(path, head)
    write_motion(tmp_path / "refined.npz", motion)
    notes = read_motion(tmp_path / "refined.npz").meta["refined"]
    assert notes["passes"] == 2
    assert set(notes["before"]) == set(notes["after"]) == {"landmark_error", "stability"}
    assert notes["before"] != notes["after"]
