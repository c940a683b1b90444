"""How sharp an image is, without a reference."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8

_LUMA = np.array([0.299, 0.587, 0.114])
_BLOCK = 64
"""Side of the blocks whose contrast counts, pixels."""
_EDGE_SHARE = 0.002
"""Blocks with fewer edge pixels are smooth and do not count."""
_LOW_CONTRAST = 50.0
_JUST_NOTICED = (5.0, 3.0)
"""Width of an edge whose blur is just noticed: at low and at high contrast, pixels."""
_BETA = 3.6
_JUST_NOTICED_PROBABILITY = 0.63
_STEEPEST = np.tan(np.radians(22.5))
"""Largest slope of a gradient that counts as horizontal."""


def cpbd(image: UInt8[np.ndarray, "height width 3"]) -> float:
    """Cumulative probability of blur detection (Narvekar and Karam 2011, eq. 2 and 5): higher is sharper.

    The blur of an edge of width w is noticed with the probability 1 - exp(-(w / w_jnb)^3.6), where w_jnb is 5 pixels in
    blocks of low contrast and 3 in others. CPBD is the share of the edges whose probability is at most 0.63. Widths are
    those of Marziliano et al. (2002): from one local extremum to the other along the row of a vertical edge. The
    authors find the blocks that count with Canny's detector; here it is the Sobel filter that finds the edges, too.

    Args:
        image: sRGB; what does not fill a block of 64 pixels is left out.

    Returns:
        0 to 1; NaN for an image without edges or smaller than a block.
    """
    gray = image.astype(np.float64) @ _LUMA
    edges, rising = _vertical_edges(gray)
    widths = _edge_widths(gray, rising)
    total = sharp = 0
    for top in range(0, gray.shape[0] - _BLOCK + 1, _BLOCK):
        for left in range(0, gray.shape[1] - _BLOCK + 1, _BLOCK):
            part = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            found = widths[part][edges[part]]
            if len(found) <= _EDGE_SHARE * _BLOCK**2:
                continue
            noticed = _JUST_NOTICED[int(np.ptp(gray[part]) > _LOW_CONTRAST)]
            probability = 1 - np.exp(-((found / noticed) ** _BETA))
            total += len(found)
            sharp += int((probability <= _JUST_NOTICED_PROBABILITY).sum())
    return sharp / total if total else float("nan")


def _vertical_edges(
    gray: Float[np.ndarray, "height width"],
) -> tuple[Bool[np.ndarray, "height width"], Bool[np.ndarray, "height width"]]:
    """Thinned vertical edges, and whether the brightness rises to the right."""
    from scipy.ndimage import sobel

    across, down = sobel(gray, 1), sobel(gray, 0)
    power = across**2
    strong = power > 4 * power.mean()
    left, right = (np.roll(power, shift, 1) for shift in (1, -1))
    edges = strong & (left <= power) & (power > right) & (np.abs(down) <= _STEEPEST * np.abs(across))
    edges[:, [0, -1]] = False
    return edges, across > 0


def _edge_widths(
    gray: Float[np.ndarray, "height width"], rising: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """Pixels from the extremum left of each pixel to the one right of it, along the direction of its slope."""
    columns = np.ascontiguousarray(gray.T)
    steps = np.diff(columns, axis=0)
    widths = np.zeros_like(columns)
    for upwards in (True, False):
        moves = steps > 0 if upwards else steps < 0
        before, after = np.zeros_like(columns), np.zeros_like(columns)
        for place in range(1, len(columns)):
            before[place] = (before[place - 1] + 1) * moves[place - 1]
        for place in range(len(columns) - 2, -1, -1):
            after[place] = (after[place + 1] + 1) * moves[place]
        widths += (before + after) * (rising.T if upwards else ~rising.T)
    return widths.T
