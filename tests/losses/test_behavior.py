"""Losses of behavior against their definitions."""

from __future__ import annotations

import pytest
import torch

from facetalk.losses.behavior import least_squares_error, power, spectrum_error, trajectory_error


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_error_of_equal_samples_is_that_of_the_paper() -> None:
    states, target, weight = noise(2, 9, 3), noise(2, 9, 3, seed=1), torch.ones(2, 9)
    still = (states - target).square().sum(2).mean()
    moving = (states - target).diff(dim=1).square().sum(2).mean()
    found = trajectory_error(states, states, target, weight, 10.0)
    assert float(found) == pytest.approx(float(still + 10 * moving), rel=1e-5)


def test_random_movement_around_the_mean_costs_nothing() -> None:
    target, weight = torch.zeros(4000, 8, 1), torch.ones(4000, 8)
    first, second = 3 * noise(4000, 8, 1), 3 * noise(4000, 8, 1, seed=1)
    assert abs(float(trajectory_error(first, second, target, weight, 0.0))) < 0.2
    away = trajectory_error(first + 2, second + 2, target, weight, 0.0)
    assert float(away) == pytest.approx(4, abs=0.4)


def test_frames_without_trust_do_not_count() -> None:
    states, target, weight = torch.zeros(1, 5, 1), torch.zeros(1, 5, 1), torch.ones(1, 5)
    states[0, 2] = 100
    weight[0, 2] = 0
    assert float(trajectory_error(states, states, target, weight, 1.0)) == 0


def test_a_wave_has_its_power_at_its_frequency() -> None:
    times = torch.arange(128) / 30
    wave = torch.sin(2 * torch.pi * 30 * 8 / 128 * times)[None, :, None]
    assert int(power(wave)[:, 0].argmax()) == 7  # the constant is left out
    assert float(spectrum_error(wave, power(wave))) == 0
    assert float(spectrum_error(2 * wave, power(wave))) > 0.01


def test_scores_are_compared_with_the_wanted_one() -> None:
    assert float(least_squares_error(torch.tensor([[0.0, 2.0]]), 1.0)) == 1
