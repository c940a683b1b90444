"""Dropped keys are within the tolerance, and no more keys are kept than the slow way finds."""

from __future__ import annotations

import numpy as np
import pytest

from facetalk.exporters.keys import needed_keys


def interpolated(values: np.ndarray, keep: np.ndarray) -> np.ndarray:
    frames = np.arange(len(values))
    return np.stack([np.interp(frames, frames[keep], column[keep]) for column in values.T], 1)


def line_between(values: np.ndarray, start: int, end: int) -> np.ndarray:
    share = np.linspace(0, 1, end - start + 1)[:, None]
    return values[start] + share * (values[end] - values[start])


def slow_keys(values: np.ndarray, tolerance: float) -> np.ndarray:
    """Try the ends of each segment one by one, farthest first, against every frame between."""
    keep = np.zeros(len(values), bool)
    keep[0] = True
    start = 0
    while start < len(values) - 1:
        end = len(values) - 1
        while np.abs(line_between(values, start, end) - values[start : end + 1]).max() > tolerance:
            end -= 1
        keep[end] = True
        start = end
    return keep


def speech_like(num_frames: int, channels: int, seed: int) -> np.ndarray:
    """Smooth curves with pauses."""
    generator = np.random.default_rng(seed)
    curves = np.cumsum(generator.normal(size=(num_frames, channels)), 0) / 20
    curves[num_frames // 3 : num_frames // 2] = curves[num_frames // 3]
    return curves.astype(np.float32)


@pytest.mark.parametrize("tolerance", [1e-4, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_error_stays_within_the_tolerance(tolerance: float, seed: int) -> None:
    values = speech_like(200, 1 + 3 * seed, seed)
    keep = needed_keys(values, tolerance)
    assert keep[0] and keep[-1]
    assert np.abs(interpolated(values, keep) - values).max() <= tolerance * 1.001 + 1e-6
    np.testing.assert_array_equal(keep, slow_keys(values.astype(np.float64), tolerance))


def test_lines_and_pauses_need_only_their_ends() -> None:
    ramp = np.concatenate([np.linspace(0, 1, 50), np.ones(50), np.linspace(1, 0.3, 21)])[:, None]
    assert np.flatnonzero(needed_keys(ramp, 1e-4)).tolist() == [0, 49, 100, 120]


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_short_clips_keep_both_ends(num_frames: int) -> None:
    assert needed_keys(np.zeros((num_frames, 4)), 0.1).sum() == min(num_frames, 2)
