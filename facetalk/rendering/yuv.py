"""RGB images in the pixel format of video encoders."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import UInt8

from facetalk.rendering.kernels import kernel

_SHIFT = 15
_HALF = 1 << (_SHIFT - 1)


def _fixed(value: float) -> np.int32:
    return np.int32(round(value * (1 << _SHIFT)))


# BT.709 in studio range: 219 steps of luma, 224 of chroma.
_YR, _YG, _YB = (_fixed(weight * 219 / 255) for weight in (0.2126, 0.7152, 0.0722))
_UR, _UG, _UB = (_fixed(weight / 1.8556 * 224 / 255) for weight in (-0.2126, -0.7152, 1 - 0.0722))
_VR, _VG, _VB = (_fixed(weight / 1.5748 * 224 / 255) for weight in (1 - 0.2126, -0.7152, -0.0722))


def yuv420_planes(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, " bytes"]:
    """Luma of every pixel, then blue, then red chroma of every 2x2 block; BT.709 in studio range.

    Args:
        image: sRGB, both sides even.
    """
    height, width = image.shape[:2]
    count = height * width
    planes = np.empty(count + count // 2, np.uint8)
    luma, blue, red = planes[:count], planes[count : count + count // 4], planes[count + count // 4 :]
    half = height // 2, width // 2
    rgb_to_yuv420(np.ascontiguousarray(image), luma.reshape(height, width), blue.reshape(half), red.reshape(half))
    return planes


@kernel
@no_type_check
def rgb_to_yuv420(image, luma, blue, red):
    """See `yuv420_planes`.

    Args:
        image: (H, W, 3) uint8, both sides even.
        luma: (H, W) uint8, filled.
        blue: (H / 2, W / 2) uint8, filled.
        red: (H / 2, W / 2) uint8, filled.
    """
    height, width = luma.shape
    sums = np.empty((3, width), np.int32)
    for row in range(height):
        for x in range(width):
            r, g, b = np.int32(image[row, x, 0]), np.int32(image[row, x, 1]), np.int32(image[row, x, 2])
            luma[row, x] = np.uint8(16 + ((_YR * r + _YG * g + _YB * b + _HALF) >> _SHIFT))
            if row % 2 == 0:
                sums[0, x], sums[1, x], sums[2, x] = r, g, b
            else:
                sums[0, x] += r
                sums[1, x] += g
                sums[2, x] += b
        if row % 2 == 1:
            for x in range(width // 2):
                r = sums[0, 2 * x] + sums[0, 2 * x + 1]
                g = sums[1, 2 * x] + sums[1, 2 * x + 1]
                b = sums[2, 2 * x] + sums[2, 2 * x + 1]
                blue[row // 2, x] = np.uint8(128 + ((_UR * r + _UG * g + _UB * b + 4 * _HALF) >> (_SHIFT + 2)))
                red[row // 2, x] = np.uint8(128 + ((_VR * r + _VG * g + _VB * b + 4 * _HALF) >> (_SHIFT + 2)))
