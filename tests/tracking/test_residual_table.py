"""Real faces fitted with the bundled head and with ICT-FaceKit, the same number of parameters and equal calibration."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

from facetalk.head.model import HeadModel
from facetalk.io.video import VideoReader
from facetalk.motion.heads import load_head
from facetalk.rendering.camera import project
from facetalk.tracking.fit import fit_landmarks
from facetalk.tracking.observation import even_frames, interocular_px
from facetalk.tracking.settings import FitSettings
from facetalk.vision.landmark_detector import MediaPipeDetector
from tests.conftest import SHARED

SPEAKERS, FRAMES, NUM_BETAS = 20, 24, 30
SETTINGS = FitSettings(personal_share=0.0)
"""No constant offsets: only the head's own parameters explain a face."""

ICT = SHARED / "heads" / "ict_facekit" / "ict_facekit_light.npz"


def clips(data_dir: Path) -> list[Path]:
    """A clip of each of the first speakers that look into the camera."""
    with (data_dir / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["path"].startswith("video/")]
    of_speaker = {row["speaker"]: row["path"] for row in reversed(rows) if float(row["median_yaw"] or 1) < 0.3}
    return [data_dir / of_speaker[speaker] for speaker in sorted(of_speaker)[:SPEAKERS]]


def detected(path: Path) -> tuple[torch.Tensor, torch.Tensor, tuple[int, int]]:
    with VideoReader(path) as video, MediaPipeDetector() as detector:
        rows = [(time_s, detector.detect(image)) for time_s, image in islice(video, FRAMES)]
        size = video.size
    seen = [(time_s, torch.from_numpy(points)) for time_s, points in rows if points is not None]
    return torch.stack([points for _, points in seen]), torch.tensor([time_s for time_s, _ in seen]).double(), size


def residual(head: HeadModel, points: torch.Tensor, times: torch.Tensor, size: tuple[int, int]) -> float:
    """Mean distance of MediaPipe's 468 skin points, interocular units."""
    motion = fit_landmarks(points, times, size, head, settings=SETTINGS)
    even, _ = even_frames(points, times)
    assert motion.camera is not None
    pixels = project(head.points.mediapipe.on(head.pose(motion).vertices), motion.camera)
    return float(((even[..., :2] - pixels).norm(dim=-1)[:, :468].mean(1) / interocular_px(even)).mean())


def with_betas(head: HeadModel, count: int) -> HeadModel:
    """The head with its first identity directions, and without the detector's bias, which only the bundled one has."""
    assets = head.assets
    return HeadModel(
        replace(
            assets,
            shape=replace(
                assets.shape,
                identity_dirs=assets.shape.identity_dirs[:count],
                identity_names=assets.shape.identity_names[:count],
                joint_identity_dirs=assets.shape.joint_identity_dirs[:count],
            ),
            points=replace(assets.points, detector_bias=None),
        )
    )


@pytest.mark.data
@pytest.mark.slow
def test_the_bundled_head_fits_faces_no_worse_than_ict(data_dir: Path) -> None:
    if not ICT.is_file():
        pytest.skip(f"no ICT-FaceKit data at {ICT}")
    heads = [with_betas(load_head(name), NUM_BETAS) for name in ("facetalk", f"ict:{ICT}")]
    seen = [detected(path) for path in clips(data_dir)]
    assert len(seen) == SPEAKERS
    ours, theirs = (torch.tensor([residual(head, *clip) for clip in seen]).mean() for head in heads)
    print(f"residual of {SPEAKERS} speakers: ours {ours:.4f}, ICT {theirs:.4f}")
    assert ours <= 1.15 * theirs
    assert theirs < 0.02, "an uncalibrated ICT head has 0.022"
