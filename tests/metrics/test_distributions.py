"""Distances of distributions beside SciPy's, and intervals of means."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import wasserstein_distance

from facetalk.metrics.distributions import confidence_interval, wasserstein


def test_the_distance_of_two_samples_is_how_far_one_must_move() -> None:
    first = torch.tensor([0.0, 1.0, 3.0])
    assert wasserstein(first, first) == 0
    assert wasserstein(first, first + 2) == pytest.approx(2)
    assert wasserstein(torch.tensor([0.0, 0.0]), torch.tensor([0.0, 1.0])) == pytest.approx(0.5)
    assert math.isnan(wasserstein(first, torch.zeros(0)))


def test_the_distance_of_two_samples_equals_scipys() -> None:
    generator = torch.Generator().manual_seed(0)
    for sizes in ((3, 17), (40, 40), (1, 5)):
        first, second = (torch.randn(size, generator=generator) for size in sizes)
        assert wasserstein(first, second) == pytest.approx(wasserstein_distance(first, second), rel=1e-6)


def test_an_interval_holds_the_mean_and_narrows_with_more_clips() -> None:
    generator = torch.Generator().manual_seed(1)
    few, many = (torch.randn(size, generator=generator) + 5 for size in (10, 1000))
    low, high = confidence_interval(few, torch.Generator().manual_seed(2)) or (0, 0)
    assert low < float(few.mean()) < high
    near, far = confidence_interval(many, torch.Generator().manual_seed(2)) or (0, 0)
    # The normal approximation of the standard error.
    assert far - near == pytest.approx(2 * 1.96 * float(many.std()) / math.sqrt(1000), rel=0.1)
    assert far - near < (high - low) / 5


def test_an_interval_is_the_same_for_the_same_seed_and_needs_two_clips() -> None:
    values = torch.tensor([1.0, 2.0, 4.0, float("nan")])
    runs = [confidence_interval(values, torch.Generator().manual_seed(seed)) for seed in (3, 3)]
    assert runs[0] == runs[1] is not None
    assert confidence_interval(torch.tensor([1.0, float("nan")]), torch.Generator()) is None
