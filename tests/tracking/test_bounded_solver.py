import numpy as np
import pytest
import torch

from facetalk.tracking.bounded_solver import NUM_POSE, solve_bounded


def make_problem(frames: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    jacobian = torch.randn(frames, 3 * n, n, generator=generator)
    hessian = jacobian.transpose(1, 2) @ jacobian / n
    return hessian.numpy(), torch.randn(frames, n, generator=generator).numpy()


def free_bounds(frames: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full((frames, n), -np.inf, np.float32), np.full((frames, n), np.inf, np.float32)


def test_one_frame_agrees_with_scipys_bounded_least_squares() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    n = 20
    hessian, gradient = make_problem(1, n)
    lower, upper = free_bounds(1, n)
    lower[:, NUM_POSE:], upper[:, NUM_POSE:] = 0, 0.1
    start = np.full((1, n), 0.05, np.float32)
    ours = solve_bounded(hessian, gradient, start, lower, upper, np.zeros_like(start), 500, 1e-9)[0]
    root = np.linalg.cholesky(hessian[0].astype(np.float64)).T
    target = root @ start[0] - np.linalg.solve(root.T, gradient[0])
    theirs = optimize.lsq_linear(root, target, (lower[0] - 1e-12, upper[0] + 1e-12), method="bvls", tol=1e-12).x
    assert np.abs(ours - theirs).max() < 1e-5
    assert ((ours[NUM_POSE:] == 0) | (ours[NUM_POSE:] == np.float32(0.1))).sum() > 3  # the bounds matter here


def test_smoothness_over_time_agrees_with_one_dense_system() -> None:
    frames, n = 9, 8
    hessian, gradient = make_problem(frames, n, seed=1)
    jerk = np.random.default_rng(0).uniform(0.1, 2, (frames, n)).astype(np.float32)
    start = np.random.default_rng(1).normal(size=(frames, n)).astype(np.float32)
    ours = solve_bounded(hessian, gradient, start, *free_bounds(frames, n), jerk, 2000, 1e-12)
    bend = np.zeros((frames, frames))
    for t in range(1, frames - 1):
        bend[t, t - 1 : t + 2] = 1, -2, 1
    dense, slope = np.zeros((frames * n, frames * n)), np.zeros(frames * n)
    for t in range(frames):
        dense[t * n : t * n + n, t * n : t * n + n] = hessian[t]
        slope[t * n : t * n + n] = gradient[t]
    for k in range(n):
        stiffness = bend.T @ np.diag(jerk[:, k]) @ bend
        dense[k::n, k::n] += stiffness
        slope[k::n] += stiffness @ start[:, k]
    expected = start + np.linalg.solve(dense, -slope).reshape(frames, n)
    assert np.abs(ours - expected).max() < 1e-4


def test_variables_that_start_outside_come_back_into_their_bounds() -> None:
    hessian, gradient = make_problem(3, 10)
    lower, upper = free_bounds(3, 10)
    lower[:, NUM_POSE:], upper[:, NUM_POSE:] = 0, 1
    start = np.full((3, 10), 5, np.float32)
    ours = solve_bounded(hessian, gradient, start, lower, upper, np.ones_like(start), 20, 1e-6)
    assert (ours[:, NUM_POSE:] >= 0).all() and (ours[:, NUM_POSE:] <= 1).all()
