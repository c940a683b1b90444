from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from facetalk.core.errors import UsageError
from facetalk.fitters.detect import detect_landmarks, source_notes
from facetalk.vision.face_tracks import Person
from facetalk.vision.orientation import OrientationTest
from tests.fitters.toy import write_clip


class TwoFaces:
    """Detects a large face on the right, and in some frames a small one on the left, in varying order."""

    def __init__(self) -> None:
        self._count = 0

    def detect(self, image: np.ndarray) -> np.ndarray | None:
        return self.detect_all(image)[0]

    def detect_all(self, image: np.ndarray) -> list[np.ndarray]:
        self._count += 1
        height, width = image.shape[:2]
        large, small = np.zeros((478, 3), np.float32), np.zeros((478, 3), np.float32)
        small[:] = (0.2 * width, 0.5 * height, 0)
        large[:] = (0.7 * width, 0.5 * height, 0)
        small[263, 0] += 0.05 * width
        large[263, 0] += 0.2 * width
        return [[large, small], [large], [small, large]][self._count % 3]

    def close(self) -> None:
        self._count = 0


class UpsideDown(OrientationTest):
    """Says after the third frame that a video must be turned."""

    def __init__(self, turn: int) -> None:
        self._wanted = turn

    def add(self, number: int, image: np.ndarray, faces: Sequence[np.ndarray]) -> int | None:
        return self._wanted if number >= 2 else None

    def close_poll(self) -> int:
        return self._wanted


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "two.mp4", 120)


@pytest.mark.parametrize(("face", "place"), [(None, 0.7), (1, 0.2), (2, 0.7)])
def test_one_of_two_faces_is_followed(path: Path, face: int | None, place: float) -> None:
    found = detect_landmarks(path, detector=TwoFaces(), face=face)
    points = found.points[:]
    assert found.person is not None and found.person.of == 2 and len(points) == len(found.times) == 12
    seen = np.isfinite(points[:, 0, 0].numpy())
    assert seen.all() if place == 0.7 else seen.sum() == 8
    np.testing.assert_allclose(points[:, 0, 0].numpy()[seen] / 160, place, atol=0.01)


@pytest.mark.parametrize(("face", "number", "x", "share"), [(None, 2, 0.72, 1.0), (1, 1, 0.2, 0.667)])
def test_it_is_known_which_person_was_followed(
    path: Path, face: int | None, number: int, x: float, share: float
) -> None:
    person = detect_landmarks(path, detector=TwoFaces(), face=face).person
    assert person is not None
    assert (person.number, person.of) == (number, 2)
    assert person.center == pytest.approx((x, 0.5), abs=0.03)
    assert person.time_share == pytest.approx(share, abs=1e-3)


def test_a_person_is_described_in_words() -> None:
    assert (
        str(Person(2, 3, (0.7, 0.4), 0.934))
        == "person 2 of 3, counted from the left (70% from the left edge, in 93% of the frames)"
    )


def test_a_person_who_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(UsageError, match=r"--face 3: .*two\.mp4 shows 2 faces; give a number from 1 to 2"):
        detect_landmarks(path, detector=TwoFaces(), face=3)


@pytest.mark.parametrize(("turn", "size"), [(1, (120, 160)), (2, (160, 120)), (3, (120, 160))])
def test_a_video_on_its_head_or_side_is_turned_with_a_warning(
    path: Path, turn: int, size: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    found = detect_landmarks(path, detector=TwoFaces(), orientation=UpsideDown(turn))
    assert (found.turn, found.image_size, len(found.times)) == (turn, size, 12)
    np.testing.assert_allclose(found.points[:][:, 0, 0].numpy() / size[0], 0.7, atol=0.01)
    assert "two.mp4: the faces" in caplog.text and "it was turned by" in caplog.text
    assert source_notes(found)["source_turn"] == turn


def test_nothing_is_said_of_a_video_that_is_upright(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = detect_landmarks(path, detector=TwoFaces(), orientation=UpsideDown(0))
    assert found.turn == 0 and not caplog.records and "source_turn" not in source_notes(found)
