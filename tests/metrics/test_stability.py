from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facetalk.metrics.stability import motion_stability_index


def test_the_index_agrees_with_a_plain_loop() -> None:
    points = torch.randn(20, 3, 3, generator=torch.Generator().manual_seed(0)).numpy()
    acceleration = (points[2:] - 2 * points[1:-1] + points[:-2]) * 900
    spreads = [np.sqrt(acceleration[:, i].var(0, ddof=1).sum()) for i in range(3)]
    expected = np.mean([1 / spread for spread in spreads])
    assert motion_stability_index(torch.from_numpy(points), 30.0) == pytest.approx(expected, rel=1e-5)


def test_a_steady_turn_beats_a_shaking_one() -> None:
    steady = torch.linspace(0, 1, 30)[:, None, None].expand(30, 2, 3)
    shaking = steady + 0.01 * torch.randn(30, 2, 3, generator=torch.Generator().manual_seed(0))
    assert motion_stability_index(steady, 30.0) > 100 * motion_stability_index(shaking, 30.0)
    assert math.isnan(motion_stability_index(steady[:3], 30.0))
