from __future__ import annotations

import torch

from facetalk.metrics.correlation import correlation


def test_it_is_pearsons_correlation_of_each_curve() -> None:
    first, second = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0))
    slow = torch.stack([torch.corrcoef(torch.stack([first[:, k], second[:, k]]))[0, 1] for k in range(3)])
    torch.testing.assert_close(correlation(first, second), slow)
    torch.testing.assert_close(correlation(first[:, 0], 5 - 2 * first[:, 0]), torch.tensor(-1.0))


def test_a_constant_curve_has_none() -> None:
    assert correlation(torch.ones(20), torch.randn(20)) == 0
