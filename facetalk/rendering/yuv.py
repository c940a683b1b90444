"""RGB images in the pixel format of video encoders."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import UInt8

from facetalk.rendering.kernels import inlined, kernel
from facetalk.rendering.lane_access import load_pixels, store_bytes
from facetalk.rendering.lanes import LANES, pair_sums

_SHIFT = 15
_HALF = 1 << (_SHIFT - 1)


def _fixed(value: float) -> np.int32:
    return np.int32(round(value * (1 << _SHIFT)))


# BT.709 in studio range: 219 steps of luma, 224 of chroma.
_YR, _YG, _YB = (_fixed(weight * 219 / 255) for weight in (0.2126, 0.7152, 0.0722))
_UR, _UG, _UB = (_fixed(weight / 1.8556 * 224 / 255) for weight in (-0.2126, -0.7152, 1 - 0.0722))
_VR, _VG, _VB = (_fixed(weight / 1.5748 * 224 / 255) for weight in (1 - 0.2126, -0.7152, -0.0722))


_BLOCK = 2 * LANES
"""Columns that are converted together, for one vector of chroma."""


def yuv420_planes(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, " bytes"]:
    """Luma of every pixel, then blue, then red chroma of every 2x2 block; BT.709 in studio range.

    Args:
        image: sRGB, both sides even.
    """
    height, width = image.shape[:2]
    if width < _BLOCK:
        wide = yuv420_planes(np.pad(image, ((0, 0), (0, _BLOCK - width), (0, 0)), mode="edge"))
        luma, chroma = np.split(wide, [height * _BLOCK])
        luma, chroma = luma.reshape(height, _BLOCK), chroma.reshape(height, _BLOCK // 2)
        return np.concatenate([luma[:, :width].ravel(), chroma[:, : width // 2].ravel()])
    count = height * width
    planes = np.empty(count + count // 2, np.uint8)
    luma, blue, red = planes[:count], planes[count : count + count // 4], planes[count + count // 4 :]
    _convert(np.ascontiguousarray(image).ravel(), width, luma, blue, red)
    return planes


@inlined
@no_type_check
def _channels(image, at):
    color = load_pixels(image, at)
    return color & 255, (color >> 8) & 255, color >> 16


@inlined
@no_type_check
def _luma(color):
    red, green, blue = color
    return 16 + ((_YR * red + _YG * green + _YB * blue + _HALF) >> _SHIFT)


@inlined
@no_type_check
def _four(left, right, left_below, right_below):
    """Sums of one channel over blocks of 2x2 pixels."""
    return pair_sums(left + left_below, right + right_below)


@inlined
@no_type_check
def _chroma(red_weight, green_weight, blue_weight, red, green, blue):
    # The offset keeps the number positive, since the shift takes it for one without a sign.
    total = red_weight * red + green_weight * green + blue_weight * blue + 4 * _HALF
    return (total + (128 << (_SHIFT + 2))) >> (_SHIFT + 2)


@kernel
@no_type_check
def _convert(image, width, luma, blue, red):
    """See `yuv420_planes`.

    Args:
        image: (3 H W,) uint8, both sides even.
        width: of the image, at least `_BLOCK`.
        luma: (H W,) uint8, filled.
        blue: (H W / 4,) uint8, filled.
        red: (H W / 4,) uint8, filled.
    """
    for start in range(0, len(luma), 2 * width):
        for column in range(0, width, _BLOCK):
            # The last columns are converted together with some before.
            at = start + min(column, width - _BLOCK)
            below, next_to = at + width, at + width + LANES
            a, b = _channels(image, at), _channels(image, at + LANES)
            c, d = _channels(image, below), _channels(image, next_to)
            store_bytes(luma, at, _luma(a))
            store_bytes(luma, at + LANES, _luma(b))
            store_bytes(luma, below, _luma(c))
            store_bytes(luma, next_to, _luma(d))
            r, g, b = _four(a[0], b[0], c[0], d[0]), _four(a[1], b[1], c[1], d[1]), _four(a[2], b[2], c[2], d[2])
            place = start // 4 + min(column, width - _BLOCK) // 2
            store_bytes(blue, place, _chroma(_UR, _UG, _UB, r, g, b))
            store_bytes(red, place, _chroma(_VR, _VG, _VB, r, g, b))
