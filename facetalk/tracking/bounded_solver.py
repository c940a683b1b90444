"""Bounded quadratic problems over time: every frame has its own small system, smoothness ties neighbors together."""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.core.kernels import compiled

NUM_POSE = 6
"""Variables of the pose, which come first, have no bounds and are solved as one block."""


@compiled(nogil=True)
@no_type_check
def _pull_of_time(y: np.ndarray, jerk: np.ndarray, frame: int, k: int) -> tuple[float, float]:
    """Slope and curvature that the second differences around a frame give to one variable."""
    num_frames = y.shape[0]
    slope, curvature = 0.0, 0.0
    for center in range(max(frame - 1, 1), min(frame + 1, num_frames - 2) + 1):
        factor = -2.0 if center == frame else 1.0
        bend = y[center - 1, k] - 2.0 * y[center, k] + y[center + 1, k]
        slope += jerk[center, k] * factor * bend
        curvature += jerk[center, k] * factor * factor
    return slope, curvature


@compiled(nogil=True)
@no_type_check
def _solve_block(matrix: np.ndarray, right: np.ndarray) -> None:
    """Solve a small symmetric positive definite system in place (Cholesky); the solution replaces `right`."""
    size = len(right)
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                matrix[i, i] = np.sqrt(max(total, 1e-20))
            else:
                matrix[i, j] = total / matrix[j, j]
    for i in range(size):
        for k in range(i):
            right[i] -= matrix[i, k] * right[k]
        right[i] /= matrix[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            right[i] -= matrix[k, i] * right[k]
        right[i] /= matrix[i, i]


@compiled(nogil=True)
@no_type_check
def solve_bounded(
    hessian: np.ndarray,
    gradient: np.ndarray,
    start: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    jerk: np.ndarray,
    num_sweeps: int,
    tolerance: float,
) -> np.ndarray:
    """Minimize `g.d + d.H.d / 2 + sum jerk * (second difference of start + d)^2 / 2` within bounds.

    Gauss-Seidel in both directions of time: a frame's pose as one exact block, then its bounded variables one by one.

    Args:
        hessian: (frames, n, n), symmetric.
        gradient: (frames, n) at `start`.
        start: (frames, n) current values.
        lower: (frames, n) lower bounds; those of the pose are ignored.
        upper: (frames, n) upper bounds, likewise.
        jerk: (frames, n) weight of the second difference centerd on a frame.
        num_sweeps: maximum number of passes.
        tolerance: stop when no bounded variable changes by more than this.

    Returns:
        (frames, n) new values.
    """
    num_frames, n = start.shape
    y = start.astype(np.float64)
    slope = gradient.astype(np.float64)
    block = np.empty((NUM_POSE, NUM_POSE))
    step = np.empty(NUM_POSE)
    for sweep in range(num_sweeps):
        largest = 0.0
        for index in range(num_frames):
            t = index if sweep % 2 == 0 else num_frames - 1 - index
            for i in range(NUM_POSE):
                pull, curvature = _pull_of_time(y, jerk, t, i)
                step[i] = -(slope[t, i] + pull)
                for j in range(NUM_POSE):
                    block[i, j] = hessian[t, i, j]
                block[i, i] += curvature
            _solve_block(block, step)
            for i in range(NUM_POSE):
                y[t, i] += step[i]
                for j in range(n):
                    slope[t, j] += step[i] * hessian[t, i, j]
            for k in range(NUM_POSE, n):
                pull, curvature = _pull_of_time(y, jerk, t, k)
                wanted = y[t, k] - (slope[t, k] + pull) / (hessian[t, k, k] + curvature)
                move = min(max(wanted, lower[t, k]), upper[t, k]) - y[t, k]
                if move != 0.0:
                    y[t, k] += move
                    largest = max(largest, abs(move))
                    for j in range(n):
                        slope[t, j] += move * hessian[t, k, j]
        if largest < tolerance:
            break
    return y
