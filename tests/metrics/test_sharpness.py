"""CPBD: known edges by hand, and blurred images below sharp ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from facetalk.metrics.sharpness import _edge_widths, cpbd


def ramps(width: int, low: int = 40, high: int = 200) -> np.ndarray:
    """Bright stripes on dark ground; brightness changes over `width` pixels."""
    row = np.interp(np.arange(128) % 64, [0, 16, 16 + width, 40, 40 + width, 64], [low, low, high, high, low, low])
    return np.repeat(np.repeat(row.round().astype(np.uint8)[None, :, None], 128, 0), 3, 2)


def test_the_width_of_an_edge_reaches_from_extremum_to_extremum() -> None:
    gray = np.array([[5.0, 5, 6, 8, 9, 9, 4, 4]])
    widths = _edge_widths(gray, np.array([[True] * 5 + [False] * 3]))
    assert widths.tolist() == [[0, 3, 3, 3, 3, 1, 1, 0]]


@pytest.mark.parametrize(("low", "width", "expected"), [(40, 2, 1.0), (40, 6, 0.0), (160, 4, 1.0), (160, 7, 0.0)])
def test_edges_wider_than_is_just_noticed_count_as_blurred(low: int, width: int, expected: float) -> None:
    """Just noticed are 3 pixels at a contrast of 160, and 5 at one of 40."""
    assert cpbd(ramps(width, low)) == expected


def test_blur_lowers_the_figure_and_images_without_edges_have_none() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    image = image[:, :, None].repeat(3, 2)
    figures = [cpbd(gaussian_filter(image, (sigma, sigma, 0))) for sigma in (0.0, 0.8, 1.2, 2.0)]
    assert figures == sorted(figures, reverse=True) and figures[0] == 1 and figures[-1] < 0.1
    assert math.isnan(cpbd(np.full((128, 128, 3), 90, np.uint8)))
    assert math.isnan(cpbd(image[:40, :40]))
