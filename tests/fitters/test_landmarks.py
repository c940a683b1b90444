from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.fitters import detect
from facetalk.fitters.detect import detect_landmarks
from facetalk.fitters.landmarks import LandmarkFitter
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head
from tests.fitters.toy import FakeDetector, write_clip
from tests.fitters.toy import head as head  # a fixture


def test_a_video_becomes_a_motion_with_a_small_error(tmp_path: Path, head: HeadModel) -> None:
    path = write_clip(tmp_path / "a.mp4", 200)
    motion = LandmarkFitter(detector=FakeDetector(head)).fit(path, head)
    assert motion.camera is not None and motion.camera.image_size == (160, 120)
    assert motion.fit_error is not None and float(motion.fit_error.mean()) < 0.02


def test_points_of_a_frame_that_was_scaled_down_are_in_the_pixels_of_the_video(
    tmp_path: Path, head: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / "a.mp4", 200)
    whole = detect_landmarks(path, detector=FakeDetector(head))
    monkeypatch.setattr(detect, "DETECTION_SIDE", 80)
    small = detect_landmarks(path, detector=FakeDetector(head))
    assert small.image_size == whole.image_size == (160, 120)
    assert torch.allclose(small.points[:][..., :2], whole.points[:][..., :2], atol=0.01)


@pytest.mark.data
@pytest.mark.parametrize("case", ["short/short_0s4.mp4", "rotated/rotated_90.mp4", "vfr/vfr.mkv"])
def test_unusual_videos_are_tracked(data_dir: Path, case: str) -> None:
    motion = LandmarkFitter().fit(data_dir / "robust" / case, load_head())
    assert motion.camera is not None and motion.fit_error is not None and motion.confidence is not None
    assert float(motion.fit_error.mean()) < 0.03 and float((motion.confidence > 0.5).float().mean()) > 0.9
    width, height = motion.camera.image_size
    assert (height > width) == (case.startswith("rotated"))
