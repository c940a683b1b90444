from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import IBUG_FROM_MEDIAPIPE
from facetalk.data.crops import FaceCrops, crop_track, cut_video, read_crops, write_crops
from facetalk.data.faces import first_of_each, shortened, spread_over
from facetalk.data.manifest import Clip
from facetalk.io.video_writer import VideoWriter
from tests.vision.faces import moving_landmarks


def points(num_frames: int) -> torch.Tensor:
    rows = torch.full((num_frames, 478, 3), 128.0)
    rows[:, list(IBUG_FROM_MEDIAPIPE), :2] = torch.from_numpy(moving_landmarks(num_frames))
    return rows


def test_crops_come_back_from_disk(tmp_path: Path) -> None:
    track = crop_track(points(5), torch.arange(5) / 25, (256, 256))
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 255, (5, 128, 128, 3), dtype=np.uint8)
    crops = FaceCrops(track, faces, rng.integers(0, 255, (5, 96, 96), dtype=np.uint8))
    write_crops(tmp_path, "a", crops)
    again = read_crops(tmp_path, "a")
    np.testing.assert_array_equal(again.faces, crops.faces)
    np.testing.assert_array_equal(again.mouths, crops.mouths)
    torch.testing.assert_close(again.track.face_boxes, track.face_boxes)
    assert again.track.image_size == (256, 256)
    assert len(shortened(again, 3).mouths) == len(shortened(again, 3).track.times) == 3
    with pytest.raises(FacetalkError, match="no crops of the clip b"):
        read_crops(tmp_path, "b")


def test_frames_without_a_face_are_bridged_and_marked() -> None:
    rows = points(5)
    rows[2] = torch.nan
    track = crop_track(rows, torch.arange(5) / 25, (256, 256))
    assert track.found.tolist() == [True, True, False, True, True]
    assert torch.isfinite(track.landmarks).all() and torch.isfinite(track.mouth_boxes).all()


def test_a_video_is_cut_where_its_face_is(tmp_path: Path) -> None:
    image = np.zeros((256, 256, 3), np.uint8)
    image[150:170, 110:146] = 255  # where the mouth of the schematic face is
    with VideoWriter(tmp_path / "a.mp4", (256, 256), 25.0) as writer:
        for _ in range(4):
            writer.write(image)
    crops = cut_video(tmp_path / "a.mp4", crop_track(points(4), torch.arange(4) / 25, (256, 256)))
    assert crops.mouths.shape == (4, 96, 96) and crops.faces.shape == (4, 128, 128, 3)
    assert crops.mouths[:, 44:52, 44:52].min() > 200 and crops.mouths[:, :10].max() < 40
    with pytest.raises(FacetalkError, match="4 frames now, 6 were tracked"):
        cut_video(tmp_path / "a.mp4", crop_track(points(6), torch.arange(6) / 25, (256, 256)))
    short = cut_video(tmp_path / "a.mp4", crop_track(points(3), torch.arange(3) / 25, (256, 256)))
    assert short.faces.shape == (3, 128, 128, 3), "a track may end before its video, as with data.max_frames"


def test_clips_are_spread_over_the_dataset() -> None:
    clips = [Clip(Path(), str(number)) for number in range(10)]
    assert [clip.name for clip in spread_over(clips, 4)] == ["0", "2", "5", "7"]
    assert spread_over(clips, 0) == clips
    assert first_of_each(clips, 0) == clips and first_of_each(clips, 3) == clips[:3]
