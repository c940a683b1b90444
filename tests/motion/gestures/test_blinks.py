"""Blinks are as frequent, as long and as uneven as stated."""

from __future__ import annotations

import math

import pytest
import torch

from facetalk.motion.gestures.blinks import (
    BLINK_SHAPE,
    Blink,
    BlinkConfig,
    blink_events,
    lid_closure,
    log_normal_hazard,
    sample_blinks,
    shape_at,
)

MINUTE = 1800


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_there_are_10_to_25_blinks_a_minute_of_0_1_to_0_4_s() -> None:
    minutes = [sample_blinks(MINUTE, seeded(seed)) for seed in range(60)]
    counts = [len(blinks) for blinks in minutes]
    assert sum(counts) / 60 == pytest.approx(18, abs=1)
    assert sum(10 <= count <= 25 for count in counts) >= 57
    lengths = [event.duration_s for blinks in minutes for event in blink_events(blinks)]
    assert 0.1 <= min(lengths) <= max(lengths) <= 0.41


def test_they_come_sooner_where_the_urge_is_strong() -> None:
    urge = torch.full((MINUTE,), 0.5)
    urge[::2] = 1.5
    blinks = [blink for seed in range(60) for blink in sample_blinks(MINUTE, seeded(seed), urge=urge)]
    starts = torch.tensor([blink.peak - math.ceil(4 * blink.length) for blink in blinks])
    assert (starts % 2 == 0).float().mean() == pytest.approx(0.75, abs=0.05)


def test_a_longer_recording_begins_as_a_shorter_one() -> None:
    urge = torch.rand(2000, generator=seeded(1))
    long = sample_blinks(2000, seeded(), urge=urge)
    for num_frames in (1, 255, 256, 400):
        short = sample_blinks(num_frames, seeded(), urge=urge[:num_frames])
        assert short == long[: len(short)]
        assert torch.equal(lid_closure(num_frames, short), lid_closure(2000, long)[:num_frames])


def test_intervals_are_log_normal() -> None:
    config = BlinkConfig(min_interval_s=0.0)
    starts = [blink.peak - math.ceil(4 * blink.length) for blink in sample_blinks(60 * MINUTE, seeded(), config)]
    intervals = (torch.tensor(starts).diff() / 30).log()
    assert intervals.std() == pytest.approx(config.interval_spread, rel=0.1)
    assert intervals.exp().mean() == pytest.approx(1 / config.rate, rel=0.07)


def test_the_hazard_is_density_over_survival() -> None:
    center, spread, step = 1.0, 0.6, 1e-3
    survival = 1.0
    for count in range(1, 8000):
        survival *= 1 - step * log_normal_hazard(count * step, center, spread)
    expected = math.erfc((math.log(8.0) - center) / spread / math.sqrt(2)) / 2
    assert survival == pytest.approx(expected, rel=0.02)


def test_a_very_large_rate_blinks_as_soon_as_it_may() -> None:
    counts = [len(sample_blinks(MINUTE, seeded(), BlinkConfig(rate=rate))) for rate in (0.3, 3.0, 30.0, 3e3, 3e8)]
    assert counts == sorted(counts)
    assert counts[-1] == MINUTE // 14  # every 0.45 s and more: 14 frames


def test_lids_differ_a_little_and_some_blinks_are_partial() -> None:
    depths = torch.tensor([blink.depth for seed in range(40) for blink in sample_blinks(MINUTE, seeded(seed))])
    assert (depths[:, 0] != depths[:, 1]).float().mean() > 0.95
    assert (depths.diff(dim=1).abs() <= 0.21).all()
    assert (depths.amax(1) < 1).float().mean() == pytest.approx(0.12, abs=0.04)
    assert depths.min() > 0.4


def test_the_shape_is_stretched_around_its_peak_and_wraps_in_a_loop() -> None:
    torch.testing.assert_close(shape_at(torch.arange(-4.0, 11)), torch.tensor(BLINK_SHAPE))
    plain = lid_closure(40, [Blink(10, 1.0, (1.0, 0.8))])
    torch.testing.assert_close(plain[6:21, 0], torch.tensor(BLINK_SHAPE))
    torch.testing.assert_close(plain[:, 1], 0.8 * plain[:, 0])
    wrapped = lid_closure(40, [Blink(39, 1.0, (1.0, 1.0))], loop=True)
    torch.testing.assert_close(wrapped[0, 0], torch.tensor(BLINK_SHAPE[5]))


def test_no_rate_is_no_blink() -> None:
    assert sample_blinks(MINUTE, seeded(), BlinkConfig(rate=0.0)) == []
