from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from facetalk.fitters import detect
from facetalk.fitters.detect import detect_landmarks
from facetalk.fitters.landmarks import LandmarkFitter
from facetalk.head.model import HeadModel
from facetalk.io.ffmpeg import ffmpeg_program
from facetalk.motion.heads import load_head
from facetalk.rendering.camera import project
from tests.fitters.toy import FakeDetector, write_clip
from tests.fitters.toy import head as head  # a fixture


def test_a_video_becomes_a_motion_with_a_small_error(tmp_path: Path, head: HeadModel) -> None:
    path = write_clip(tmp_path / "a.mp4", 200)
    motion = LandmarkFitter(detector=FakeDetector(head)).fit(path, head)
    assert motion.camera is not None and motion.camera.image_size == (160, 120)
    assert motion.fit_error is not None and float(motion.fit_error.mean()) < 0.02


@pytest.mark.slow
def test_one_frame_loads_all_compiled_loops() -> None:
    code = """
from facetalk.fitters.landmarks import load_kernels
from facetalk.head.skinning_kernel import skin_frames
from facetalk.motion.heads import load_head
from facetalk.rendering.shading import shade
from facetalk.tracking.bounded_solver import solve_bounded
from facetalk.tracking.point_kernel import add_points

kernels = skin_frames, shade, solve_bounded, add_points
print(*[len(kernel.signatures) for kernel in kernels])
load_kernels(load_head())
print(*[len(kernel.signatures) for kernel in kernels])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["0 0 0 0", "1 1 1 1"]


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


@pytest.mark.data
@pytest.mark.parametrize(("filters", "turn"), [("hflip,vflip", 2), ("transpose=clock", 1), ("transpose=cclock", 3)])
def test_a_video_that_hides_its_rotation_is_fitted_as_if_it_were_upright(
    data_dir: Path, tmp_path: Path, filters: str, turn: int, caplog: pytest.LogCaptureFixture
) -> None:
    source, path = data_dir / "robust" / "short" / "short_0s4.mp4", tmp_path / "turned.mp4"
    command = [ffmpeg_program(), "-v", "error", "-i", source, "-vf", filters, "-qp", "0", path]
    subprocess.run(list(map(str, command)), check=True)
    upright, turned = LandmarkFitter().fit(source, load_head()), LandmarkFitter().fit(path, load_head())
    assert turned.source_turn == turn and "turned.mp4: the faces" in caplog.text and str(source) not in caplog.text
    assert upright.camera is not None and turned.camera is not None
    assert turned.camera.image_size == upright.camera.image_size
    assert (turned.expression - upright.expression).abs().mean() < 0.02
    assert (turned.transl - upright.transl).abs().max() < 0.02


@pytest.mark.data
def test_a_small_face_in_a_large_video_is_fitted(data_dir: Path, tmp_path: Path) -> None:
    source, path = data_dir / "robust" / "short" / "short_0s4.mp4", tmp_path / "large.mp4"
    filters = "scale=120:120,pad=2560:1440:1900:300:gray"
    command = [ffmpeg_program(), "-v", "error", "-i", source, "-vf", filters, "-qp", "0", path]
    subprocess.run(list(map(str, command)), check=True)
    motion = LandmarkFitter().fit(path, load_head())
    assert motion.camera is not None and motion.camera.image_size == (2560, 1440)
    assert motion.confidence is not None and float((motion.confidence > 0.5).float().mean()) > 0.9
    place = project(motion.transl, motion.camera)
    assert ((place - torch.tensor([1960.0, 360.0])).abs() < 100).all()
