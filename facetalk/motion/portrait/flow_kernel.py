"""The loops over pixels between the rasterized flow and its continuation on a coarse map."""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.core.kernels import FINITE_MATH, compiled

kernel = compiled(nogil=True, fastmath=FINITE_MATH, error_model="numpy")


@kernel
@no_type_check
def discount_stretched(image, low, high):
    """Lower the validity where few pixels of the photo would have to cover many of the frame, as on closing lids.

    Args:
        image: (H, W, channels) float32: way in x and y, validity, ..., coverage; the validity is changed.
        low: share of the area at and below which the photo is not used.
        high: share from which it is used in full.
    """
    height, width = image.shape[0], image.shape[1]
    one = np.float32(1)
    for row in range(height - 1):
        for column in range(width - 1):
            if image[row, column, 2] == 0 or image[row, column + 1, -1] == 0 or image[row + 1, column, -1] == 0:
                continue
            xx = one + image[row, column + 1, 0] - image[row, column, 0]
            yx = image[row, column + 1, 1] - image[row, column, 1]
            xy = image[row + 1, column, 0] - image[row, column, 0]
            yy = one + image[row + 1, column, 1] - image[row, column, 1]
            share = min(max((xx * yy - xy * yx - low) / (high - low), np.float32(0)), one)
            image[row, column, 2] *= share


@kernel
@no_type_check
def pool(image, step, way, weight, covered):
    """Weighted means over blocks of pixels.

    Args:
        image: (H, W, channels) float32: way in x and y, validity, ..., coverage.
        step: side of a block.
        way: (H / step, W / step, 2) float32, filled with the mean way of the valid pixels.
        weight: (H / step, W / step) float32, filled with the mean validity.
        covered: (H / step, W / step) float32, filled with the mean coverage.
    """
    scale = np.float32(1) / np.float32(step * step)
    for row in range(weight.shape[0]):
        for column in range(weight.shape[1]):
            x = y = total = cover = np.float32(0)
            for i in range(row * step, (row + 1) * step):
                for j in range(column * step, (column + 1) * step):
                    share = image[i, j, 2]
                    x += share * image[i, j, 0]
                    y += share * image[i, j, 1]
                    total += share
                    cover += image[i, j, -1]
            inverse = np.float32(1) / max(total, np.float32(1e-6))
            way[row, column, 0], way[row, column, 1] = x * inverse, y * inverse
            weight[row, column], covered[row, column] = total * scale, cover * scale


@kernel
@no_type_check
def blend(image, coarse, step, flow):
    """The way of the valid pixels, and elsewhere the coarse one, interpolated.

    Args:
        image: see `pool`.
        coarse: (H / step, W / step, 2) float32.
        step: side of a block.
        flow: (H, W, 2) float32, filled.
    """
    last_row, last_column = coarse.shape[0] - 1, coarse.shape[1] - 1
    half, one = np.float32(0.5), np.float32(1)
    for row in range(flow.shape[0]):
        v = min(max((np.float32(row) + half) / np.float32(step) - half, np.float32(0)), np.float32(last_row))
        top = int(v)
        bottom, fy = min(top + 1, last_row), v - np.float32(top)
        for column in range(flow.shape[1]):
            u = min(max((np.float32(column) + half) / np.float32(step) - half, np.float32(0)), np.float32(last_column))
            left = int(u)
            right, fx = min(left + 1, last_column), u - np.float32(left)
            share = image[row, column, 2]
            for c in range(2):
                above = (one - fx) * coarse[top, left, c] + fx * coarse[top, right, c]
                below = (one - fx) * coarse[bottom, left, c] + fx * coarse[bottom, right, c]
                around = (one - fy) * above + fy * below
                flow[row, column, c] = share * image[row, column, c] + (one - share) * around
