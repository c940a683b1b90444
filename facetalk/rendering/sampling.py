"""Colors of an image between its pixels."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Shaped

from facetalk.rendering.kernels import kernel


def sampled(
    image: Shaped[np.ndarray, "height width channels"], places: Float[np.ndarray, "rows columns 2"]
) -> Float[np.ndarray, "rows columns channels"]:
    """Read an image at places (x, y) in pixels, bilinearly; beyond its edges, the edge is repeated.

    Args:
        image: any numbers.
        places: the center of the first pixel is at (0.5, 0.5).
    """
    result = np.empty((*places.shape[:2], image.shape[2]), np.float32)
    _sample(np.ascontiguousarray(image), np.ascontiguousarray(places, np.float32), result)
    return result


@kernel
@no_type_check
def _sample(image, places, result):
    height, width, channels = image.shape
    half, one = np.float32(0.5), np.float32(1)
    for row in range(places.shape[0]):
        for column in range(places.shape[1]):
            x = min(max(places[row, column, 0] - half, np.float32(0)), np.float32(width - 1))
            y = min(max(places[row, column, 1] - half, np.float32(0)), np.float32(height - 1))
            left, top = int(x), int(y)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            fx, fy = x - np.float32(left), y - np.float32(top)
            for c in range(channels):
                above = (one - fx) * np.float32(image[top, left, c]) + fx * np.float32(image[top, right, c])
                below = (one - fx) * np.float32(image[bottom, left, c]) + fx * np.float32(image[bottom, right, c])
                result[row, column, c] = (one - fy) * above + fy * below
