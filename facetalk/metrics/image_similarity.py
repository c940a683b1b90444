"""How similar two images are: SSIM and PSNR."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from jaxtyping import Float, UInt8

from facetalk.core.errors import FacetalkError
from facetalk.metrics.base import Measured

PEAK = 255.0
_SIGMA, _REACH = 1.5, 5
"""Gaussian window of Wang et al. (2004): 11 x 11 with a standard deviation of 1.5 pixels."""
_K1, _K2 = 0.01, 0.03
LEAST_SIDE = 2 * _REACH + 1
"""Pixels."""
EQUAL_DB = 100.0
"""PSNR of equal images, so that a mean exists; rounding to 8 bits alone gives 59 dB."""

Image = UInt8[np.ndarray, "height width 3"]


def ssim(first: Image, second: Image) -> float:
    """Structural similarity (Wang et al. 2004, eq. 13) of two sRGB images, mean over pixels and channels.

    (2 m_x m_y + c1) (2 s_xy + c2) / ((m_x^2 + m_y^2 + c1) (s_x^2 + s_y^2 + c2)), with means and covariances in a
    Gaussian window and c1 = (0.01 * 255)^2, c2 = (0.03 * 255)^2. Only windows inside the image count.

    Raises:
        FacetalkError: the images are smaller than the window.
    """
    if min(first.shape[:2]) < LEAST_SIDE:
        raise FacetalkError(f"images of {first.shape[1]}x{first.shape[0]} pixels; SSIM needs {LEAST_SIDE} each way")
    x, y = first.astype(np.float32), second.astype(np.float32)
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = (_windowed(image) for image in (x, y, x * x, y * y, x * y))
    c1, c2 = (_K1 * PEAK) ** 2, (_K2 * PEAK) ** 2
    spread = mean_xx - mean_x**2 + mean_yy - mean_y**2
    together = mean_xy - mean_x * mean_y
    similarity = (2 * mean_x * mean_y + c1) * (2 * together + c2) / ((mean_x**2 + mean_y**2 + c1) * (spread + c2))
    return float(similarity.mean(dtype=np.float64))


def psnr_db(first: Image, second: Image) -> float:
    """10 log10(255^2 / mean squared error) over all pixels and channels; `EQUAL_DB` for equal images."""
    error = float(np.square(first.astype(np.float64) - second).mean())
    return min(EQUAL_DB, 10 * math.log10(PEAK**2 / error)) if error > 0 else EQUAL_DB


def mean_over_images(
    name: str, images: Iterable[tuple[Image, Image]], figure: Callable[[Image, Image], float]
) -> Measured:
    """The mean of a figure over pairs of images, which are read one by one, and its course."""
    values = torch.tensor([figure(first, second) for first, second in images], dtype=torch.float64)
    return Measured({name: float(values.mean())}, {name: values})


def _windowed(image: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, "inner_height inner_width 3"]:
    """Weighted means around the pixels whose window lies inside the image."""
    from scipy.ndimage import correlate1d

    weights = np.exp(-0.5 * (np.arange(-_REACH, _REACH + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        image = correlate1d(image, weights, axis)
    return image[_REACH:-_REACH, _REACH:-_REACH]
