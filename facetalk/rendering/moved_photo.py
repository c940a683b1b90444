"""A photo whose person moves in front of its background.

With the opacity a of the person, the photo is C = P + (1 - a) B for a filled background B; where a is 1, P is C. P
and a are moved, B stays. Without any motion the result is C exactly, whatever a and B are.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import maximum_filter

from facetalk.rendering.filling import filled
from facetalk.rendering.kernels import kernel

_CERTAIN = 0.05
"""Opacity below which a pixel shows the background alone."""
_AROUND = 0.025
"""Space around the person that is not used for the background either, in units of the image's width: loose hair, which
moves along then and leaves nothing behind."""


class MovedPhoto:
    """Part of a photo, as a person and a background."""

    def __init__(
        self, photo: UInt8[np.ndarray, "height width 3"], opacity: Float[np.ndarray, "height width"] | None
    ) -> None:
        """Fill the background.

        Args:
            photo: sRGB.
            opacity: of the person; everything moves if None.
        """
        self.size = photo.shape[1], photo.shape[0]
        image = photo.astype(np.float32)
        if opacity is None:
            opacity = np.ones(photo.shape[:2], np.float32)
            self._behind = np.zeros_like(image)
        else:
            reach = 2 * max(1, round(_AROUND * photo.shape[1])) + 1
            known = (maximum_filter(opacity, reach) < _CERTAIN).astype(np.float32)
            self._behind = filled(image, known)
        person = image - (1 - opacity[..., None]) * self._behind
        self._layers = np.ascontiguousarray(np.concatenate([person, opacity[..., None]], 2), np.float32)

    def frame(
        self,
        flow: Float[np.ndarray, "crop crop 2"],
        painted: Float[np.ndarray, "side side 4"],
        corner: tuple[int, int],
        to_crop: Float[np.ndarray, "2 3"],
        to_photo: Float[np.ndarray, "2 2"],
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Move the person, and lay what was painted over it.

        Args:
            flow: from each pixel of the crop to where its content lies, pixels of the crop.
            painted: what is added to the colors, of 255, and how far it replaces what lies below, in [0, 1], in a
                window of the crop: colors that are multiplied with their opacity, as in premultiplied alpha.
            corner: column and row of the window in the crop.
            to_crop: from pixels of the photo to those of the crop.
            to_photo: the linear part of the inverse.
        """
        result = np.empty((self.size[1], self.size[0], 3), np.uint8)
        _compose(
            self._layers,
            self._behind,
            np.ascontiguousarray(flow, np.float32),
            np.ascontiguousarray(painted, np.float32),
            np.array(corner, np.float32),
            np.ascontiguousarray(to_crop, np.float32),
            np.ascontiguousarray(to_photo, np.float32),
            result,
        )
        return result


@kernel
@no_type_check
def _between(image, x, y, channels, result):
    """Bilinear, for places from the center of the first pixel; beyond the edges, the edge is repeated."""
    height, width = image.shape[0], image.shape[1]
    x = min(max(x, np.float32(0)), np.float32(width - 1))
    y = min(max(y, np.float32(0)), np.float32(height - 1))
    left, top = int(x), int(y)
    right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
    fx, fy = x - np.float32(left), y - np.float32(top)
    for c in range(channels):
        above = image[top, left, c] + fx * (image[top, right, c] - image[top, left, c])
        below = image[bottom, left, c] + fx * (image[bottom, right, c] - image[bottom, left, c])
        result[c] = above + fy * (below - above)


@kernel
@no_type_check
def _sharply(image, x, y, channels, weights, result):
    """Catmull-Rom splines, which keep more of the detail than straight lines."""
    height, width = image.shape[0], image.shape[1]
    left, top = int(np.floor(x)), int(np.floor(y))
    for axis in range(2):
        t = (x - np.float32(left)) if axis == 0 else (y - np.float32(top))
        weights[axis, 0] = np.float32(0.5) * t * (np.float32(-1) + t * (np.float32(2) - t))
        weights[axis, 1] = np.float32(0.5) * (np.float32(2) + t * t * (np.float32(3) * t - np.float32(5)))
        weights[axis, 2] = np.float32(0.5) * t * (np.float32(1) + t * (np.float32(4) - np.float32(3) * t))
        weights[axis, 3] = np.float32(0.5) * t * t * (t - np.float32(1))
    for c in range(channels):
        result[c] = np.float32(0)
    for i in range(4):
        row = min(max(top + i - 1, 0), height - 1)
        for j in range(4):
            column = min(max(left + j - 1, 0), width - 1)
            weight = weights[1, i] * weights[0, j]
            for c in range(channels):
                result[c] += weight * image[row, column, c]


@kernel
@no_type_check
def _compose(layers, behind, flow, painted, corner, to_crop, to_photo, result):
    height, width = layers.shape[0], layers.shape[1]
    side, window = np.float32(flow.shape[0]), np.float32(painted.shape[0])
    half = np.float32(0.5)
    way, color, paint = np.empty(2, np.float32), np.empty(4, np.float32), np.empty(4, np.float32)
    weights = np.empty((2, 4), np.float32)
    for row in range(height):
        for column in range(width):
            x, y = np.float32(column) + half, np.float32(row) + half
            u = to_crop[0, 0] * x + to_crop[0, 1] * y + to_crop[0, 2]
            v = to_crop[1, 0] * x + to_crop[1, 1] * y + to_crop[1, 2]
            inside = (u > 0) and (v > 0) and (u < side) and (v < side)
            if inside:
                _between(flow, u - half, v - half, 2, way)
            if inside and max(abs(way[0]), abs(way[1])) > np.float32(0.002):
                px = x + to_photo[0, 0] * way[0] + to_photo[0, 1] * way[1] - half
                py = y + to_photo[1, 0] * way[0] + to_photo[1, 1] * way[1] - half
                _sharply(layers, px, py, 4, weights, color)
            else:
                for c in range(4):
                    color[c] = layers[row, column, c]
            through = min(max(np.float32(1) - color[3], np.float32(0)), np.float32(1))
            share = np.float32(0)
            paint[:] = np.float32(0)
            s, t = u - corner[0], v - corner[1]
            if (s > 0) and (t > 0) and (s < window) and (t < window):
                _between(painted, s - half, t - half, 4, paint)
                share = paint[3]
            for c in range(3):
                value = color[c] + through * behind[row, column, c]
                value += paint[c] - share * value
                result[row, column, c] = np.uint8(min(max(value + half, np.float32(0)), np.float32(255)))
