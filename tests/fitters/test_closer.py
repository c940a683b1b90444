from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.fitters.closer import closer_region, same_face, search_region
from facetalk.io.frame_table import FrameTable
from facetalk.io.video import Region, VideoReader
from facetalk.io.video_writer import VideoWriter
from facetalk.vision.face_tracks import FaceTrack


@pytest.fixture(scope="module")
def large_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "a.mp4"
    with VideoWriter(path, (2560, 1440), 25.0) as writer:
        writer.write(np.full((1440, 2560, 3), 90, np.uint8))
    return path


def track(eyes_px: float, *centers: tuple[float, float]) -> FaceTrack:
    return FaceTrack(centers=list(centers), sizes=[eyes_px] * len(centers))


def test_a_small_face_in_a_large_video_is_looked_at_where_it_moves(large_path: Path) -> None:
    video = VideoReader(large_path, max_side=1280)
    region = closer_region(track(20, (0.5, 0.5), (0.6, 0.5)), video)
    # Three times 40 pixels at full size around centers at x = 1280 and 1536, y = 720.
    assert region == Region(1160, 600, 496, 240)


@pytest.mark.parametrize(
    ("eyes_px", "centers"),
    [(80.0, [(0.5, 0.5)]), (20.0, [(0.02, 0.5), (0.98, 0.5)])],
    ids=["a large face", "a face that moves everywhere"],
)
def test_a_second_look_that_would_show_no_more_is_saved(
    large_path: Path, eyes_px: float, centers: list[tuple[float, float]]
) -> None:
    assert closer_region(track(eyes_px, *centers), VideoReader(large_path, max_side=1280)) is None


def test_a_video_that_was_decoded_at_full_size_is_not_looked_at_again(large_path: Path) -> None:
    assert closer_region(track(20, (0.5, 0.5)), VideoReader(large_path)) is None


def test_a_small_video_is_not_searched_again(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", (160, 120), 25.0) as writer:
        writer.write(np.zeros((120, 160, 3), np.uint8))
    assert search_region(tmp_path / "a.mp4", 0) is None


def table(points: torch.Tensor, frames: list[int]) -> FrameTable:
    rows = FrameTable(*points.shape[1:])
    for frame in frames:
        rows.append(frame, points[frame].numpy())
    return rows


def test_the_same_face_is_recognized_among_detections() -> None:
    points = 100 * torch.rand(20, 478, 3, generator=torch.Generator().manual_seed(0))
    face = table(points, list(range(2, 20)))
    other, near, part = table(points + 200, list(range(20))), table(points + 1, list(range(20))), table(points, [3, 4])
    assert same_face(face, [other, near, part], 20) == 1
    assert same_face(face, [other, part], 20) is None
    assert same_face(face, [], 20) is None
