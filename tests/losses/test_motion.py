from __future__ import annotations

import math

import pytest
import torch

from facetalk.losses.motion import (
    absolute_error,
    decorrelation,
    dissimilarity,
    reconstruction_error,
    spread_error,
    velocity_error,
)


@pytest.fixture
def target() -> torch.Tensor:
    return torch.randn(3, 40, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("loss", [absolute_error, velocity_error, dissimilarity, reconstruction_error])
def test_the_target_itself_is_at_distance_zero(loss, target: torch.Tensor) -> None:
    assert loss(target, target, torch.ones(3, 40)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss", [absolute_error, velocity_error, dissimilarity, reconstruction_error])
def test_frames_of_weight_zero_do_not_count(loss, target: torch.Tensor) -> None:
    weight = torch.ones(3, 40)
    weight[:, 25:] = 0
    wrong = target + 0.3 * torch.randn(3, 40, 12, generator=torch.Generator().manual_seed(1))
    other = wrong.clone()
    other[:, 25:] = 9.0
    torch.testing.assert_close(loss(wrong, target, weight), loss(other, target, weight))


def test_a_constant_offset_has_no_velocity_error(target: torch.Tensor) -> None:
    assert velocity_error(target + 2, target, torch.ones(3, 40)).item() == pytest.approx(0, abs=1e-6)
    assert absolute_error(target + 2, target, torch.ones(3, 40)).item() == pytest.approx(2)


def test_dissimilarity_of_the_opposite_map_is_larger_than_that_of_a_weaker_one(target: torch.Tensor) -> None:
    weight = torch.ones(3, 40)
    weaker, opposite = dissimilarity(0.7 * target, target, weight), dissimilarity(-target, target, weight)
    assert 0 < weaker < 0.2
    assert opposite > 1


def test_spread_error_is_the_squared_logarithm_of_the_amplitude_ratio(target: torch.Tensor) -> None:
    weight = torch.ones(3, 40)
    assert spread_error(target + 5, target, weight, floor=1e-4).item() == pytest.approx(0, abs=1e-5)
    assert spread_error(0.5 * target, target, weight, floor=1e-4).item() == pytest.approx(math.log(2) ** 2, rel=1e-3)
    assert spread_error(0 * target, 1e-3 * target, weight, floor=1.0).item() < 1e-6


def test_decorrelation_does_not_see_level_and_amplitude(target: torch.Tensor) -> None:
    weight = torch.ones(3, 40)
    assert decorrelation(0.2 * target + 5, target, weight, floor=1e-4).item() == pytest.approx(0, abs=1e-4)
    assert decorrelation(-target, target, weight, floor=1e-4).item() == pytest.approx(2, abs=1e-4)
    assert decorrelation(target.roll(7, 1), target, weight, floor=1e-4).item() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("loss", [decorrelation, spread_error])
def test_curve_losses_ignore_frames_of_weight_zero(loss, target: torch.Tensor) -> None:
    weight = torch.ones(3, 40)
    weight[:, 30:] = 0
    moved, other = 0.5 * target.roll(1, 1), 0.5 * target.roll(1, 1)
    other[:, 30:] = 4.0
    torch.testing.assert_close(loss(moved, target, weight, 0.1), loss(other, target, weight, 0.1))
