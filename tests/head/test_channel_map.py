"""The numbers of retargeting: the bounded solver, the map of channels, the points that are compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from facetalk.head.assets import HeadAssets
from facetalk.head.bounded_least_squares import Smoothness, bounded_over_time
from facetalk.head.channel_map import points_to_controls, solve_map
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.head.point_basis import PointBasis, compared, shared_points
from tests.head.test_flame import make_head

NO_STEP = Smoothness(step=0.0, pull=1e-9, sweeps=20_000, tolerance=1e-10)


def problem(frames: int = 5, controls: int = 8, width: int = 30) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    directions = torch.randn(controls, width, generator=generator, dtype=torch.float64)
    wanted = 2 * torch.randn(frames, width, generator=generator, dtype=torch.float64)
    return directions, wanted, torch.tensor([[-0.1, 0.2]], dtype=torch.float64).repeat(controls, 1)


def test_bounds_are_kept_and_the_best_is_found() -> None:
    directions, wanted, bounds = problem()
    answer = bounded_over_time(directions, wanted, bounds, NO_STEP)
    for row, goal in zip(answer, wanted, strict=True):
        best = lsq_linear(directions.T.numpy(), goal.numpy(), (-0.1, 0.2), tol=1e-14).x
        np.testing.assert_allclose(row.numpy(), best, atol=1e-6)
    assert ((answer == -0.1) | (answer == 0.2)).any(), "some bounds are met"


def test_steps_are_weighed_as_promised() -> None:
    directions, wanted, _ = problem(frames=6, controls=3)
    wide = torch.tensor([[-9.0, 9.0]], dtype=torch.float64).repeat(3, 1)
    smooth = Smoothness(step=2.0, pull=0.5, sweeps=20_000, tolerance=1e-12)
    answer = bounded_over_time(directions, wanted, wide, smooth)
    frames, controls = answer.shape
    difference = torch.eye(frames, dtype=torch.float64)[1:] - torch.eye(frames, dtype=torch.float64)[:-1]
    whole = torch.kron(torch.eye(frames, dtype=torch.float64), directions @ directions.T + 0.5 * torch.eye(controls))
    whole += torch.kron(2.0 * difference.T @ difference, torch.eye(controls, dtype=torch.float64))
    exact = torch.linalg.solve(whole, (wanted @ directions.T).flatten()).reshape(frames, controls)
    torch.testing.assert_close(answer, exact, atol=1e-8, rtol=0)


def test_the_same_head_maps_to_itself(toy_head: HeadModel) -> None:
    renamed = HeadModel(_renamed(toy_head.assets))
    table = solve_map(toy_head, renamed)
    # Noise directions are nearly independent: a channel is its own best imitation, a little weakened by the prior.
    own = table[:, : len(ARKIT_NAMES)]
    assert own.diagonal().mean() > 0.8
    assert (own - torch.diag(own.diagonal())).abs().mean() < 0.05


def test_a_map_needs_a_head_with_arkit_channels(toy_head: HeadModel) -> None:
    with pytest.raises(ValueError, match="does not have ARKit's channels"):
        solve_map(HeadModel(_renamed(toy_head.assets)), toy_head)


def _renamed(assets: HeadAssets) -> HeadAssets:
    from dataclasses import replace

    return replace(
        assets, name="other", shape=replace(assets.shape, expression_names=tuple(f"exp{i:03d}" for i in range(52)))
    )


def test_points_are_followed_through_a_turning_jaw() -> None:
    _, head = make_head(num_vertices=400, n_expression=5)
    numbers = shared_points(head.assets, head.assets)
    assert numbers.tolist() == list(range(468))
    rows = compared(head.assets, numbers, head.shape.expression_dirs)
    assert rows.shape == (5, 468 + 68 + 10, 3)
    # The differences are those of opposite landmarks.
    marks = head.points.landmarks.on(head.shape.expression_dirs)
    torch.testing.assert_close(rows[:, 468 + 68], marks[:, 61] - marks[:, 67])
    basis = PointBasis(torch.cat([rows, torch.zeros(3, *rows.shape[1:])]), 0.09, torch.ones(rows.shape[1]))
    weights = torch.tensor([[0.5, -1.0, 0.0, 2.0, 3.5]])
    wanted = torch.einsum("te,erc->trc", weights, rows)
    bounds = torch.tensor([[-3.0, 3.0]]).repeat(5, 1)
    answer = points_to_controls(wanted, basis, bounds)
    assert answer[0, 4] == 3.0 and answer[0, 5:].abs().max() == 0
    free = points_to_controls(wanted, basis, 2 * bounds)
    torch.testing.assert_close(free[0, :5], weights[0], atol=0.02, rtol=0)
