from pathlib import Path

import numpy as np
import pytest

from facetalk.core.errors import FacetalkError
from facetalk.io.images import read_image
from facetalk.io.video_writer import VideoWriter


@pytest.fixture
def brightening(tmp_path: Path) -> Path:
    """Twenty frames at 10 a second, each lighter than the one before."""
    with VideoWriter(tmp_path / "a.mp4", (64, 48), 10.0) as writer:
        for index in range(20):
            writer.write(np.full((48, 64, 3), 10 * index + 20, np.uint8))
    return tmp_path / "a.mp4"


@pytest.mark.parametrize("time_s, shade", [(0.0, 20), (0.5, 70), (1.9, 210)])
def test_the_frame_at_a_time_in_the_wanted_size(brightening: Path, time_s: float, shade: int) -> None:
    image = read_image(brightening, time_s, (32, 24))
    assert image.shape == (24, 32, 3)
    assert float(image.mean()) == pytest.approx(shade, abs=4)


def test_a_time_after_the_end_is_an_error(brightening: Path) -> None:
    with pytest.raises(FacetalkError, match=r"a\.mp4: no frame at 9\.00 s"):
        read_image(brightening, 9.0, (32, 24))
