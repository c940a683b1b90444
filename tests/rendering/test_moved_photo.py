"""A photo, its person moved, its background still."""

from __future__ import annotations

import numpy as np
import pytest

from facetalk.rendering.moved_photo import MovedPhoto

SIDE = 20
ONE_TO_ONE = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
NOTHING = np.zeros((6, 6, 4), np.float32)


def photo(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)


def moved(source: MovedPhoto, flow: np.ndarray, painted: np.ndarray = NOTHING) -> np.ndarray:
    return source.frame(flow.astype(np.float32), painted, (7, 8), ONE_TO_ONE, ONE_TO_ONE[:, :2])


@pytest.mark.parametrize("known", [None, 0.0, 0.5, 1.0])
def test_without_motion_the_frame_is_the_photo(known: float | None) -> None:
    opacity = None if known is None else np.full((SIDE, SIDE), known, np.float32)
    np.testing.assert_array_equal(moved(MovedPhoto(photo(), opacity), np.zeros((SIDE, SIDE, 2))), photo())


def test_a_flow_of_whole_pixels_moves_the_person_by_as_many() -> None:
    flow = np.broadcast_to(np.array([3.0, -2.0]), (SIDE, SIDE, 2))
    result = moved(MovedPhoto(photo(), None), flow)
    np.testing.assert_array_equal(result[4:-4, 4:-4], photo()[2:-6, 7:-1])


def test_the_background_stays_while_the_person_moves() -> None:
    image = np.full((SIDE, SIDE, 3), 40, np.uint8)
    image[6:14, 8:12] = 200
    opacity = (image[..., 0] > 100).astype(np.float32)
    result = moved(MovedPhoto(image, opacity), np.broadcast_to(np.array([3.0, 0.0]), (SIDE, SIDE, 2)))
    assert (result[6:14, 5:9] == 200).all()
    left = np.ones((SIDE, SIDE), bool)
    left[5:15, 4:10] = False
    assert (result[left] == 40).all()


def test_what_is_painted_replaces_as_much_of_the_photo_as_it_says() -> None:
    painted = np.full((6, 6, 4), 25, np.float32)
    painted[..., 3] = 0.25
    image = np.full((SIDE, SIDE, 3), 200, np.uint8)
    result = moved(MovedPhoto(image, None), np.zeros((SIDE, SIDE, 2)), painted)
    expected = image.copy()
    expected[8:14, 7:13] = 175
    np.testing.assert_array_equal(result, expected)
