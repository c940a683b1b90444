"""Compiled solver of a bounded least-squares problem over time."""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.core.kernels import compiled


@compiled(nogil=True)
@no_type_check
def sweep_bounded(
    inner: np.ndarray,
    linear: np.ndarray,
    extra: np.ndarray,
    step: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    x: np.ndarray,
    sweeps: int,
    tolerance: float,
) -> int:
    """Minimize `x.inner.x - 2 linear.x + extra x^2 + step (x(t) - x(t-1))^2` within bounds, one unknown at a time.

    Projected Gauss-Seidel: each unknown in turn moves to its optimum with all others fixed, so the cost never rises.

    Args:
        inner: (n, n), shared by all frames.
        linear: (frames, n).
        extra: (n,) cost of each unknown's size.
        step: (n,) cost of its change from frame to frame.
        lower: (n,) lower bounds.
        upper: (n,) upper bounds.
        x: (frames, n) initial values, overwritten with the solution.
        sweeps: maximum number of sweeps.
        tolerance: stop when no unknown moves further than this in a sweep.

    Returns:
        Number of sweeps done.
    """
    frames, count = linear.shape
    for sweep in range(sweeps):
        furthest = 0.0
        for t in range(frames):
            for k in range(count):
                total = linear[t, k]
                for j in range(count):
                    total -= inner[k, j] * x[t, j]
                total += inner[k, k] * x[t, k]
                curve = inner[k, k] + extra[k]
                if t > 0:
                    total += step[k] * x[t - 1, k]
                    curve += step[k]
                if t < frames - 1:
                    total += step[k] * x[t + 1, k]
                    curve += step[k]
                best = min(max(total / curve, lower[k]), upper[k]) if curve > 0 else 0.0
                furthest = max(furthest, abs(best - x[t, k]))
                x[t, k] = best
        if furthest < tolerance:
            return sweep + 1
    return sweeps
