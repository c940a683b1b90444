"""A bright square with a dark lower half stands for a face."""

from __future__ import annotations

import numpy as np
import pytest

from facetalk.vision.face_finder import FaceBox, roll_deg
from facetalk.vision.orientation import SAMPLES, OrientationTest, turned_message


class TiltFinder:
    """Sees a face of a given tilt as MediaPipe does: no eyes and mouth beyond 80 degrees, lower scores for tilted ones.

    The tilt in an image is that of the whole frame minus the quarter turns, which the brightest corner of it shows.
    """

    smallest_tile = 10_000

    def __init__(self, tilt_deg: float, loss: float = 0.2, least_side: int = 0) -> None:
        self.tilt_deg, self.loss, self.least_side = tilt_deg, loss, least_side
        self.calls = 0

    def boxes(self, image: np.ndarray) -> list[FaceBox]:
        self.calls += 1
        if image.max() == 0 or min(image.shape[:2]) < self.least_side:
            return []
        corners = [image[0, 0, 0], image[0, -1, 0], image[-1, -1, 0], image[-1, 0, 0]]
        clockwise = int(np.argmax(corners))  # from the top left
        tilt = (self.tilt_deg + 90 * clockwise + 180) % 360 - 180
        score = 0.93 - self.loss * abs(tilt) / 90
        seen = tilt if abs(tilt) <= 80 else (5.0 if abs(tilt) > 120 else np.sign(tilt) * 70)
        height, width = image.shape[:2]
        return [FaceBox(width / 2, height / 2, float(max(height, width)), score, float(seen))]

    def close(self) -> None:
        pass


def corner_frame(level: int = 200) -> np.ndarray:
    image = np.full((120, 160, 3), level // 2, np.uint8)
    image[:8, :8] = level
    return image


FACE = np.stack(np.broadcast_arrays(*np.meshgrid(np.linspace(0, 159, 24), np.linspace(0, 119, 20)), 0.0), -1)
FACE = FACE.reshape(-1, 3)[:478].astype(np.float32)


def vote(finder: TiltFinder, frames: int = 60, faces: bool = True) -> tuple[int, int | None]:
    """The turn at the end, and the first frame at which it was clear."""
    test, clear = OrientationTest(finder, lambda: finder), None
    for number in range(frames):
        turn = test.add(number, corner_frame(), [FACE] if faces else [])
        if turn is not None and clear is None:
            clear = number
    return test.close_poll(), clear


@pytest.mark.parametrize(("tilt_deg", "turn"), [(180, 2), (-170, 2), (90, 1), (-90, 3), (100, 1), (-80, 3)])
def test_faces_on_their_head_or_side_are_turned_after_a_few_frames(tilt_deg: float, turn: int) -> None:
    assert vote(TiltFinder(tilt_deg)) == (turn, SAMPLES[2])


@pytest.mark.parametrize("tilt_deg", [0, 20, -30, 45, -45, 60, -60])
def test_upright_and_tilted_heads_are_not_turned(tilt_deg: float) -> None:
    assert vote(TiltFinder(tilt_deg))[0] == 0


def test_a_clearly_upright_face_needs_one_frame_and_two_looks() -> None:
    finder = TiltFinder(5)
    assert vote(finder) == (0, 0) and finder.calls == 2


def test_a_face_that_only_the_turned_frame_shows_is_found() -> None:
    assert vote(TiltFinder(180), faces=False)[0] == 2


def test_a_video_without_a_face_is_not_turned() -> None:
    test = OrientationTest(TiltFinder(180), lambda: TiltFinder(180))
    for number in range(60):
        assert test.add(number, np.zeros((120, 160, 3), np.uint8), []) is None
    assert test.close_poll() == 0


def test_a_short_video_is_judged_by_the_frames_that_it_has() -> None:
    assert vote(TiltFinder(180), frames=1) == (2, None)


def test_the_tilt_comes_from_eyes_and_mouth() -> None:
    upright = np.array([(-1.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 2.0)])
    for tilt_deg in (-150, -60, 0, 30, 90):
        angle = np.radians(tilt_deg)
        # Clockwise in an image whose y points down.
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        assert roll_deg(upright @ turn) == pytest.approx(tilt_deg)


def test_the_message_says_how_the_faces_lie_and_what_was_done() -> None:
    assert "a.mp4: the faces are upside down" in turned_message("a.mp4", 2)
    assert "lie on their left side" in turned_message("a.mp4", 1)
    assert turned_message("a.mp4", 1).endswith("turned by 90 degrees counterclockwise")
