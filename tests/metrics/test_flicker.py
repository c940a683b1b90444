"""Flicker of videos: none where nothing or everything moves steadily, and only still parts count."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facetalk.metrics.flicker import Changes, flicker_of_still_parts


def gray(values: np.ndarray) -> list[np.ndarray]:
    """Frames of equal red, green and blue."""
    return [np.repeat(frame[..., None], 3, -1).astype(np.uint8) for frame in values]


def test_steady_change_is_no_flicker_and_what_alternates_is() -> None:
    time = np.arange(8)[:, None, None] * np.ones((1, 4, 4))
    steady, alternating = Changes(), Changes()
    for image in gray(100 + 5 * time):
        steady.add(image)
    for image in gray(100 + 5 * (time % 2)):
        alternating.add(image)
    np.testing.assert_allclose(steady.flicker(), 0, atol=1e-4)
    np.testing.assert_allclose(steady.motion(), 5, atol=1e-4)
    np.testing.assert_allclose(alternating.flicker(), 10, atol=1e-4)


def test_only_what_stands_still_in_the_reference_counts() -> None:
    rng = np.random.default_rng(0)
    reference = np.full((20, 8, 8), 100.0)
    reference[:, :4] = rng.integers(0, 200, (20, 4, 8))  # half of it moves
    predicted = reference.copy()
    predicted[:, :4] = rng.integers(0, 200, (20, 4, 8))
    assert flicker_of_still_parts(zip(gray(predicted), gray(reference), strict=True)) == pytest.approx((0, 0), abs=1e-3)
    predicted[::2, 4:] += 3
    found = flicker_of_still_parts(zip(gray(predicted), gray(reference), strict=True))
    assert found == pytest.approx((6, 0), abs=1e-3)


def test_two_frames_have_no_flicker_to_measure() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    assert all(math.isnan(value) for value in flicker_of_still_parts([(image, image)] * 2))
    changes = Changes()
    assert [changes.add(image) is None for _ in range(3)] == [True, True, False]
