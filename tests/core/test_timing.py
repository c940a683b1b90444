from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from facetalk.core.timing import exact_rate, frame_times, frames_for, resample, streamed_windows, windows


@pytest.mark.parametrize("num_frames", [1, 7, 8, 50, 99])
def test_windows_keep_every_frame_once(num_frames: int) -> None:
    clip = torch.arange(num_frames)
    kept = [clip[w.read][w.keep] for w in windows(num_frames, size=12, margin=2)]
    torch.testing.assert_close(torch.cat(kept), clip)


def test_windows_without_a_middle_are_refused() -> None:
    with pytest.raises(ValueError, match="two margins of 4"):
        list(windows(10, size=8, margin=4))


def test_resampling_uneven_rows_agrees_with_numpy() -> None:
    times = torch.tensor([0.0, 0.03, 0.1, 0.11, 0.5], dtype=torch.float64)
    values = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    wanted = torch.linspace(-0.1, 0.7, 33, dtype=torch.float64)
    expected = np.stack([np.interp(wanted, times, values[:, i]) for i in range(2)], 1)
    torch.testing.assert_close(resample(values, times, wanted), torch.as_tensor(expected, dtype=torch.float32))


def test_a_single_row_is_held() -> None:
    held = resample(torch.tensor([[3.0]]), torch.tensor([0.2]), frame_times(4))
    torch.testing.assert_close(held, torch.full((4, 1), 3.0))


def test_sound_is_covered_by_at_least_one_frame() -> None:
    assert frames_for(0.001) == 1
    assert frames_for(2.0) == 60


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (23.976, Fraction(24_000, 1001)),
        (23.98, Fraction(24_000, 1001)),
        (24, Fraction(24)),
        (25.0, Fraction(25)),
        (29.97, Fraction(30_000, 1001)),
        (30_000 / 1001, Fraction(30_000, 1001)),
        (59.94, Fraction(60_000, 1001)),
        (12.5, Fraction(25, 2)),
        (1.0, Fraction(1)),
    ],
)
def test_a_rounded_frame_rate_stands_for_an_exact_one(fps: float, rate: Fraction) -> None:
    assert exact_rate(fps) == rate


@pytest.mark.parametrize("num_frames", [1, 7, 8, 50, 99])
@pytest.mark.parametrize("block", [1, 5, 64])
def test_windows_over_blocks_are_those_over_the_whole(num_frames: int, block: int) -> None:
    clip = torch.arange(2.0 * num_frames).reshape(num_frames, 2)
    expected = [(clip[w.read], w.keep) for w in windows(num_frames, size=12, margin=2)]
    got = list(streamed_windows(clip.split(block), num_frames, size=12, margin=2))
    assert len(got) == len(expected)
    for (rows, keep), (wanted, part) in zip(got, expected, strict=True):
        assert torch.equal(rows, wanted) and keep == part
