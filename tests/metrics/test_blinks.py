"""Blinks are counted and timed; narrow eyes, closed eyes and noise are none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from facetalk.metrics.blinks import find_blinks
from facetalk.motion.gestures.blinks import BlinkConfig, lid_closure, sample_blinks


def triangle(times: list[float], half_width_s: float, fps: float, length_s: float, height: float = 1.0) -> Tensor:
    clock = torch.arange(round(length_s * fps)) / fps
    return torch.stack([(1 - (clock - time).abs() / half_width_s).clamp_min(0) * height for time in times]).amax(0)


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
def test_blinks_are_found_with_their_times_and_widths(fps: float) -> None:
    blinks = find_blinks(0.1 + triangle([1.0, 3.0, 3.6], 0.2, fps, 5.0, 0.8), fps)
    torch.testing.assert_close(blinks.times, torch.tensor([1.0, 3.0, 3.6], dtype=torch.float64))
    torch.testing.assert_close(blinks.durations, torch.full((3,), 0.2, dtype=torch.float64), atol=1e-3, rtol=0)
    assert blinks.rate == pytest.approx(3 / 5)
    torch.testing.assert_close(blinks.intervals, torch.tensor([2.0, 0.6], dtype=torch.float64))


def test_narrow_eyes_noise_and_closed_eyes_are_no_blinks() -> None:
    noise = 0.03 * torch.randn(300, generator=torch.Generator().manual_seed(0))
    asleep = torch.zeros(300)
    asleep[100:200] = 1
    for closure in (torch.full((300,), 0.5) + noise, triangle([4.0], 0.2, 30.0, 10.0, 0.2), asleep, torch.zeros(1)):
        blinks = find_blinks(closure, 30.0)
        assert len(blinks.times) == 0 and blinks.rate == 0 and len(blinks.intervals) == 0


def test_the_blinks_of_idle_motion_are_found_again() -> None:
    starts = sample_blinks(3000, torch.Generator().manual_seed(4), BlinkConfig(rate=0.3))
    blinks = find_blinks(lid_closure(3000, starts).mean(1), 30.0)
    assert len(starts) > 15
    assert len(blinks.times) == pytest.approx(len(starts), abs=2)  # two may run into one another, or into the ends
    assert float(blinks.durations.median()) == pytest.approx(0.13, abs=0.03)
