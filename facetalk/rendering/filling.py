"""Values where an image has none: smoothly continued from where it has some (pull-push, Gortler et al. 1996)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def filled(
    values: Float[np.ndarray, "height width channels"], known: Float[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width channels"]:
    """Blend the values with those of their surroundings, the less they are known.

    Args:
        values: read where `known` is above 0.
        known: weight of each pixel in [0, 1]; at 1, its value stays as it is.
    """
    height, width = known.shape
    if min(height, width) <= 1:
        total = known.sum()
        mean = (values * known[..., None]).sum((0, 1)) / max(float(total), 1e-9)
        return known[..., None] * values + (1 - known[..., None]) * mean.astype(np.float32)
    weight = _halved(known[..., None])[..., 0]
    coarse = _halved(values * known[..., None]) / np.maximum(weight, 1e-9)[..., None]
    around = _doubled(filled(coarse, np.minimum(1.0, 4 * weight).astype(np.float32)), (height, width))
    return known[..., None] * values + (1 - known[..., None]) * around


def _halved(image: Float[np.ndarray, "height width channels"]) -> Float[np.ndarray, "rows columns channels"]:
    """Means of 2x2 blocks; the last row or column of an odd size counts twice."""
    height, width = image.shape[:2]
    even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) * np.float32(0.25)


def _doubled(
    image: Float[np.ndarray, "rows columns channels"], size: tuple[int, int]
) -> Float[np.ndarray, "height width channels"]:
    """Twice the size by linear interpolation, cut to `size` (height, width)."""
    for axis in (0, 1):
        count = image.shape[axis]
        before = np.take(image, np.maximum(np.arange(count) - 1, 0), axis)
        after = np.take(image, np.minimum(np.arange(count) + 1, count - 1), axis)
        pair = np.stack([0.75 * image + 0.25 * before, 0.75 * image + 0.25 * after], axis + 1)
        image = pair.reshape(*image.shape[:axis], 2 * count, *image.shape[axis + 1 :])
    return image[: size[0], : size[1]].astype(np.float32)
