"""Recursive filters over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def all_pole(
    signal: Float[np.ndarray, "frames *columns"],
    gain: float | Float[np.ndarray, "..."],
    feedback: Sequence[float | Float[np.ndarray, "..."]],
    memory: Float[np.ndarray, "order *columns"] | None = None,
) -> tuple[Float[np.ndarray, "frames *columns"], Float[np.ndarray, "order *columns"]]:
    """y[t] = gain x[t] - feedback[0] y[t - 1] - feedback[1] y[t - 2] ... for every column.

    What `scipy.signal.lfilter` returns; to import that module takes longer than to animate a minute.

    Args:
        signal: x, over time.
        gain: of each column, or of all, like numpy's operators.
        feedback: the denominator's coefficients after the leading 1, of each column or of all.
        memory: what the filter returned for the frames before; at rest if not given.

    Returns:
        y, and the memory after the last frame.
    """
    columns = signal.shape[1:]
    coefficients = np.stack([np.broadcast_to(value, columns) for value in feedback])
    state = np.zeros_like(coefficients) if memory is None else memory.copy()
    filtered = gain * signal
    for t in range(len(filtered)):  # the transposed direct form II
        filtered[t] += state[0]
        state[:-1] = state[1:]
        state[-1] = 0
        state -= coefficients * filtered[t]
    return filtered, state
