from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from facetalk.core import threads
from facetalk.fitters.following import LEAD, MediaPipeFollower, follow, same_faces, segment_length, segments
from facetalk.io.video import VideoReader
from facetalk.vision.landmark_detector import MediaPipeDetector


class Settling:
    """Detects the number of a frame, and errs until it has seen several consecutive frames."""

    def __init__(self, slowness: int = LEAD) -> None:
        self._last, self._streak, self._slowness = -1, slowness, slowness

    def faces(self, images: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        found = []
        for image in images:
            number = int(image[0, 0, 0])
            self._streak = self._streak + 1 if number == self._last + 1 else 1
            self._last = number
            face = np.full((478, 3), number if self._streak >= self._slowness else -1, np.float32)
            face[263, 0] += 1000
            found.append([face])
        return found


def frames(count: int) -> Iterator[tuple[float, np.ndarray]]:
    for number in range(count):
        yield number / 25, np.full((4, 6, 3), number, np.uint8)


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("followers", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 7, 30, 61])
@pytest.mark.parametrize("slowness", [1, LEAD, LEAD + 3])
def test_every_frame_is_returned_once_in_order_by_a_settled_follower(
    monkeypatch: pytest.MonkeyPatch, cores: int, followers: int, count: int, slowness: int
) -> None:
    monkeypatch.setattr(threads, "_most_cores", cores)
    seen = list(follow(frames(count), 10, [Settling(slowness) for _ in range(followers)]))
    assert [round(time_s * 25) for (time_s, _), _ in seen] == list(range(count))
    assert [float(faces[0][0, 0]) for _, faces in seen] == list(range(count))


def test_segments_overlap_by_their_lead() -> None:
    assert list(segments(range(7), 3, 2)) == [([0, 1, 2], 0), ([1, 2, 3, 4, 5], 2), ([4, 5, 6], 2)]
    assert list(segments(range(4), 2, 0)) == [([0, 1], 0), ([2, 3], 0)]


def test_segments_keep_all_followers_busy_and_fit_into_memory() -> None:
    assert segment_length(75, (360, 288), 2) == 38
    assert segment_length(250, (320, 320), 2) == 42
    assert segment_length(0, (320, 320), 2) == 48
    assert segment_length(9000, (1280, 720), 2) * 1280 * 720 * 3 <= 32 * 2**20


def test_faces_are_the_same_whatever_their_order_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    one, two = (rng.uniform(100, 200, (478, 3)).astype(np.float32) for _ in range(2))
    one[33, :2], one[263, :2], two[33, :2], two[263, :2] = (0, 0), (80, 0), (0, 0), (80, 0)
    assert same_faces([one, two], [two + 0.01, one - 0.01])
    assert not same_faces([one, two], [one, one])
    assert not same_faces([one], [])
    assert same_faces([], [])


def test_a_follower_that_fails_ends_everything() -> None:
    class Failing:
        def faces(self, images: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
            raise RuntimeError("no network")

    with pytest.raises(RuntimeError, match="no network"):
        list(follow(frames(50), 10, [Failing(), Failing()]))


@pytest.mark.data
def test_two_followers_see_what_one_detector_sees(data_dir: Path) -> None:
    path = data_dir / "video" / "grid" / "lbax4n.mp4"
    with VideoReader(path) as video, MediaPipeDetector() as detector:
        whole = np.stack([detector.detect_all(image)[0] for _, image in video])
    with VideoReader(path) as video, MediaPipeFollower() as first, MediaPipeFollower() as second:
        shared = np.stack([faces[0] for _, faces in follow(video, 38, [first, second])])
    assert np.abs(shared[:38] - whole[:38]).max() < 1e-3
    # Pixels; the points of a face that hardly moves differ by ten times as much from frame to frame.
    assert np.abs(shared - whole)[..., :2].mean(axis=(1, 2)).max() < 0.1
