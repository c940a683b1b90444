from pathlib import Path

import numpy as np
import pytest

from facetalk.io.video import VideoReader
from facetalk.models.landmark_detector import MediaPipeDetector


def test_a_picture_without_a_face_has_no_points_and_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    with MediaPipeDetector() as detector:
        assert detector.detect(np.full((120, 160, 3), 90, np.uint8)) is None
    assert capfd.readouterr().err == ""


@pytest.mark.data
def test_a_face_is_found_in_pixels_quietly(data_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with VideoReader(data_dir / "robust" / "short" / "short_0s4.mp4") as video, MediaPipeDetector() as detector:
        rows = [detector.detect(image) for _, image in video]
        width, height = video.size
    assert len(rows) > 5 and all(row is not None for row in rows)
    points = np.stack([row for row in rows if row is not None])
    assert points.shape[1:] == (478, 3)
    assert (points[..., 0] > 0).all() and (points[..., 0] < width).all() and (points[..., 1] < height).all()
    # The right eye is on the left of the picture, brows are above the chin.
    assert (points[:, 33, 0] < points[:, 263, 0]).all() and (points[:, 105, 1] < points[:, 152, 1]).all()
    assert capfd.readouterr().err == ""
