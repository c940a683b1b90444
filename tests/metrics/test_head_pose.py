"""Range, spectrum and speech of a head, on movements whose figures are known."""

from __future__ import annotations

import math

import pytest
import torch

from facetalk.metrics.head_pose import (
    angular_speed,
    head_angles,
    multiple_correlation,
    pose_range,
    pose_spread,
    power_spectrum,
    spectral_distance_db,
    speech_correlation,
)

FPS = 30.0


def waves(hertz: tuple[float, ...], degrees: float = 5.0, length_s: float = 20.0, phase: float = 0.0) -> torch.Tensor:
    clock = torch.arange(round(length_s * FPS), dtype=torch.float64) / FPS
    return torch.stack([degrees * (2 * math.pi * rate * clock + phase).sin() for rate in hertz], 1)


def test_angles_speed_and_range_of_a_steady_turn() -> None:
    turns = torch.zeros(31, 3)
    turns[:, 1] = torch.linspace(0, 0.5, 31)  # around y, to the left
    angles = head_angles(turns)
    torch.testing.assert_close(angles[:, 0], turns[:, 1].rad2deg())
    assert float(angles[:, 1:].abs().max()) < 1e-4
    torch.testing.assert_close(angular_speed(turns, FPS), torch.full((30,), math.degrees(0.5)), atol=0.05, rtol=0)
    torch.testing.assert_close(pose_range(angles)[0], torch.tensor(0.9 * math.degrees(0.5)), atol=1e-3, rtol=0)


def test_the_spread_of_a_wave_is_its_amplitude_over_the_root_of_two() -> None:
    angles = waves((0.5, 1.0, 2.0))
    expected = torch.full((3,), 5 / math.sqrt(2), dtype=torch.float64)
    torch.testing.assert_close(pose_spread(angles), expected, atol=1e-2, rtol=0)


def test_the_spectrum_peaks_at_the_frequency_and_holds_the_variance() -> None:
    hertz, power = power_spectrum(waves((0.5, 1.0, 2.0)), FPS)
    assert [float(hertz[column.argmax()]) for column in power.T] == [0.5, 1.0, 2.0]
    step = float(hertz[1] - hertz[0])
    assert (step * power.sum(0)).tolist() == pytest.approx([12.5] * 3, rel=0.05)


def test_heads_that_move_alike_at_other_times_are_close_and_faster_or_wider_ones_are_not() -> None:
    generator = torch.Generator().manual_seed(0)
    slow, other = (torch.randn(900, 3, generator=generator).cumsum(0) * 0.2 for _ in range(2))
    near = spectral_distance_db(slow, other, FPS)
    assert spectral_distance_db(slow, slow, FPS) == 0
    assert near < 6
    assert spectral_distance_db(slow, 4 * other, FPS) == pytest.approx(20 * math.log10(4), abs=3)
    assert spectral_distance_db(slow, other[::8], FPS) > near + 3
    assert math.isfinite(spectral_distance_db(slow, torch.zeros(50, 3), FPS))


def test_the_multiple_correlation_is_that_of_the_best_combination() -> None:
    generator = torch.Generator().manual_seed(1)
    curves = torch.randn(400, 4, generator=generator, dtype=torch.float64)
    target = curves @ torch.tensor([1.0, -2.0, 0.0, 0.5], dtype=torch.float64) + 3
    assert multiple_correlation(target, curves) == pytest.approx(1)
    noisy = target + target.std() * torch.randn(400, generator=generator, dtype=torch.float64)
    best = max(
        float(torch.corrcoef(torch.stack([noisy, curves @ weights]))[0, 1])
        for weights in torch.linalg.lstsq(curves - curves.mean(0), (noisy - noisy.mean())[:, None]).solution.T
    )
    assert multiple_correlation(noisy, curves) == pytest.approx(best, abs=1e-6)
    assert multiple_correlation(target, torch.ones(400, 2)) == 0
    assert multiple_correlation(torch.ones(400), curves) == 0


def test_a_head_that_nods_with_the_speech_is_told_from_chance() -> None:
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(1200, generator=generator).cumsum(0)
    loudness = noise - noise.mean()
    still = 0.01 * torch.randn(1200, 3, generator=generator)
    nodding = still + torch.stack([torch.zeros(1200), loudness, torch.zeros(1200)], 1)
    actual, chance = speech_correlation(nodding, loudness, FPS)
    assert actual > 0.99 > chance + 0.2
    actual, chance = speech_correlation(torch.randn(1200, 3, generator=generator), loudness, FPS)
    assert abs(actual - chance) < 0.05
    assert speech_correlation(torch.zeros(1, 3), torch.zeros(1), FPS) == (0.0, 0.0)
