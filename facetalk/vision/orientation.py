"""Whether a video shows faces upside down or lying on their side, as cameras record that do not note their rotation.

The landmark detector does not notice: it lays an upright face over one that stands on its head. The face detector in
front of it scores upright faces highest, and finds eyes and mouth up to a tilt of 80 degrees. So a face is shown to it
in four orientations, and each that it recognizes votes for a tilt; three of four agree on the true one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float

from facetalk.vision.face_finder import FaceBox, FaceFinder, Image, Part, find_boxes
from facetalk.vision.landmark_detector import MediaPipeFinder

SAMPLES = (0, 5, 12, 25, 50, 100, 200, 400, 800, 1600, 3200)
"""Frames that are tested, until the orientation is clear."""

_CLEAR_SCORE = 0.85
_CLEAR_LEAD = 0.1
_CLEAR_TILT_DEG = 45.0
"""A face with such a score, that far above the score of the same face upside down, and tilted less, is upright."""
_LEAST_SCORE = 0.6
"""Score of an orientation that does not count."""
_MIN_VOTES = 3
"""Frames with a face that it takes to turn a video."""
_TURN_FROM_DEG = 68.0
"""Mean tilt from which a video is turned: heads tilt by up to 60 degrees, and the landmark detector follows them."""
_AROUND = 2.0
"""Side of the part of a frame that is tested over that of the face."""

_ANGLES = np.arange(-180, 180, 5)


class OrientationTest:
    """Collects votes from sampled frames of a video until its orientation is clear."""

    def __init__(self, finder: FaceFinder, open_small: Callable[[], FaceFinder]) -> None:
        """Start without votes.

        Args:
            finder: scores the four orientations of a face.
            open_small: loads a finder that also sees small faces, for frames in which the landmark detector found none.
        """
        self._finder, self._open_small = finder, open_small
        self._small: FaceFinder | None = None
        self._votes = np.zeros(len(_ANGLES))
        self._num_votes = 0
        self.turn: int | None = None
        """Counterclockwise quarter turns that bring the video upright; None while that is not clear."""

    def add(self, number: int, image: Image, faces: Sequence[Float[np.ndarray, "478 3"]]) -> int | None:
        """Test a frame if it is one of `SAMPLES`, and return the turn if it is clear by now.

        Args:
            number: index of the frame in the video.
            image: RGB.
            faces: points in pixels that the landmark detector found.
        """
        if self.turn is None and number in SAMPLES:
            self._add(image, faces)
        return self.turn

    def close_poll(self) -> int:
        """Return the turn at the end of the video, where fewer votes have to do."""
        if self.turn is None:
            self.turn = self._turn() if self._num_votes else 0
        return self.turn

    def _add(self, image: Image, faces: Sequence[Float[np.ndarray, "478 3"]]) -> None:
        if faces:
            points = max(faces, key=lambda points: float(np.ptp(points[:, 1])))
            part = _around(image, points)
            upright, upside_down = (best_face(self._finder, part, turn) for turn in (0, 2))
            if _is_clear(upright, upside_down):
                self.turn = 0
                return
            found = [upright, best_face(self._finder, part, 1), upside_down, best_face(self._finder, part, 3)]
        else:
            if self._small is None:
                self._small = self._open_small()
            found = found_somewhere(self._finder, self._small, image)
        votes = tilt_votes(found)
        if not votes.any():
            return
        self._votes += votes
        self._num_votes += 1
        if self._num_votes >= _MIN_VOTES:
            self.turn = self._turn()

    def _turn(self) -> int:
        tilt_deg = float(_ANGLES[self._votes.argmax()])
        return 0 if abs(tilt_deg) < _TURN_FROM_DEG else round(tilt_deg / 90) % 4


@contextmanager
def mediapipe_orientation() -> Iterator[OrientationTest]:
    """An orientation test that uses MediaPipe's detectors; the one for small faces is loaded when a frame has none."""
    with ExitStack() as stack:
        finder = stack.enter_context(closing(MediaPipeFinder()))
        yield OrientationTest(finder, lambda: stack.enter_context(closing(MediaPipeFinder(small=True))))


def best_face(finder: FaceFinder, image: Image, turn: int) -> FaceBox | None:
    """Return the face with the highest score in an image after counterclockwise quarter turns; None without a face."""
    boxes = find_boxes(finder, np.ascontiguousarray(np.rot90(image, turn)), tiles=False)
    return max(boxes, key=lambda box: box.score, default=None)


def found_somewhere(finder: FaceFinder, small: FaceFinder, image: Image) -> list[FaceBox | None]:
    """Return the best face of an image, found in any orientation, in each of the four orientations.

    Args:
        finder: scores the face.
        small: finds it.
        image: RGB.
    """
    faces = [best_face(small, image, turn) for turn in range(4)]
    best = max((face for face in faces if face is not None), key=lambda face: face.score, default=None)
    if best is None:
        return [None] * 4
    turned = faces.index(best)
    part = _part(np.rot90(image, turned), np.array([best.x, best.y]), best.side)
    return [best_face(finder, part, turn - turned) for turn in range(4)]


def turned_message(path: Path | str, turn: int) -> str:
    """What to tell the user about a video that was turned."""
    how = ("", "lie on their left side", "are upside down", "lie on their right side")[turn]
    degrees = ("", "90 degrees counterclockwise", "180 degrees", "90 degrees clockwise")[turn]
    return f"{path}: the faces {how}, and the file states no rotation that would explain it; it was turned by {degrees}"


def tilt_votes(found: Sequence[FaceBox | None]) -> Float[np.ndarray, " angles"]:
    """Votes for the clockwise tilt of a face in an image, one for each multiple of 5 degrees from -180 on.

    Args:
        found: in the image after 0, 1, 2 and 3 counterclockwise quarter turns.
    """
    votes = np.zeros(len(_ANGLES))
    for turn, face in enumerate(found):
        if face is not None:
            apart = np.radians(_ANGLES - (face.roll_deg + 90 * turn))
            votes += max(0.0, face.score - _LEAST_SCORE) * np.maximum(0, np.cos(apart)) ** 4
    return votes


def _is_clear(upright: FaceBox | None, upside_down: FaceBox | None) -> bool:
    return (
        upright is not None
        and upright.score >= _CLEAR_SCORE
        and abs(upright.roll_deg) <= _CLEAR_TILT_DEG
        and (upside_down is None or upright.score - upside_down.score >= _CLEAR_LEAD)
    )


def _around(image: Image, points: Float[np.ndarray, "478 3"]) -> Part:
    """The part of an image around a face."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    return _part(image, (low + high) / 2, float((high - low).max()))


def _part(image: Image, center: Float[np.ndarray, "2"], side: float) -> Part:
    """The part of an image around a face of a given center and side."""
    reach = _AROUND * side / 2
    left, top = np.maximum(np.floor(center - reach), 0).astype(int).tolist()
    right, bottom = np.ceil(center + reach).astype(int).tolist()
    part = image[top:bottom, left:right]
    return part if part.size else image
