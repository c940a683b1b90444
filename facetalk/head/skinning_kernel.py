"""Compiled linear blend skinning on five joints, without gradients."""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.core.kernels import FINITE_MATH, compiled


@compiled(nogil=True, fastmath=FINITE_MATH, inline="always")
@no_type_check
def _blend(turns, column, w0, w1, w2, w3, w4):
    return (
        w0 * turns[0, column]
        + w1 * turns[1, column]
        + w2 * turns[2, column]
        + w3 * turns[3, column]
        + w4 * turns[4, column]
    )


@compiled(nogil=True, fastmath=FINITE_MATH)
@no_type_check
def skin_frames(rest: np.ndarray, transforms: np.ndarray, skin_weights: np.ndarray, out: np.ndarray) -> None:
    """Skin the vertices of some frames.

    Coordinates are stored plane by plane and the loop over vertices is innermost, so that it is vectorized.

    Args:
        rest: (frames, 3, vertices) before skinning, float32.
        transforms: (frames, 5, 12) rotation of each joint by rows, then its translation.
        skin_weights: (5, vertices).
        out: (frames, vertices, 3), overwritten with the result.
    """
    num_vertices = skin_weights.shape[1]
    moved = np.empty((3, num_vertices), np.float32)
    for frame in range(rest.shape[0]):
        turns = transforms[frame]
        x, y, z = rest[frame, 0], rest[frame, 1], rest[frame, 2]
        for axis in range(3):
            row = moved[axis]
            first = 3 * axis
            for v in range(num_vertices):
                w0, w1, w2 = skin_weights[0, v], skin_weights[1, v], skin_weights[2, v]
                w3, w4 = skin_weights[3, v], skin_weights[4, v]
                row[v] = (
                    _blend(turns, first, w0, w1, w2, w3, w4) * x[v]
                    + _blend(turns, first + 1, w0, w1, w2, w3, w4) * y[v]
                    + _blend(turns, first + 2, w0, w1, w2, w3, w4) * z[v]
                    + _blend(turns, 9 + axis, w0, w1, w2, w3, w4)
                )
        for v in range(num_vertices):
            out[frame, v, 0] = moved[0, v]
            out[frame, v, 1] = moved[1, v]
            out[frame, v, 2] = moved[2, v]
