"""A map whose edges are moved onto those of an image (guided filter, He et al. 2010)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.ndimage import uniform_filter1d


def guided(
    values: Float[np.ndarray, "height width"], image: Float[np.ndarray, "height width 3"], radius_px: int, noise: float
) -> Float[np.ndarray, "height width"]:
    """Values as linear functions of the colors around each pixel (equations 11 to 16 of the paper, for colors).

    Args:
        values: what is roughly known.
        image: RGB in [0, 1], whose edges count.
        radius_px: half the side of the box around a pixel.
        noise: variance of the colors that is no edge.
    """
    side = 2 * radius_px + 1

    def mean(of: np.ndarray) -> np.ndarray:
        return uniform_filter1d(uniform_filter1d(of, side, 0, mode="nearest"), side, 1, mode="nearest")

    image = image.astype(np.float64)
    color, value = mean(image), mean(values.astype(np.float64))
    spread = mean(image[..., :, None] * image[..., None, :]) - color[..., :, None] * color[..., None, :]
    common = mean(image * values[..., None]) - color * value[..., None]
    slope = np.linalg.solve(spread + noise * np.eye(3), common[..., None])[..., 0]
    offset = value - (slope * color).sum(-1)
    return ((mean(slope) * image).sum(-1) + mean(offset)).astype(np.float32)
