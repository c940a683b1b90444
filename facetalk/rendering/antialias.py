"""Antialiasing: only the pixels on an edge are shaded again, with eight samples each.

An edge is where neighboring pixels differ visibly and show triangles that have no vertex in common: outlines, the
rims of lids and lips, and also places where the triangles are too small for one sample per pixel.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.rendering.color import BYTE_TO_LINEAR, LINEAR_TO_BYTE, TONE_STEPS
from facetalk.rendering.kernels import inlined, kernel
from facetalk.rendering.lane_access import load, load_pixels
from facetalk.rendering.lanes import LANES, STEPS, bits, greatest, least, lowest_bit
from facetalk.rendering.rasterizer import SAMPLE_X, SAMPLE_Y

CONTRAST = 9
"""Difference of two neighbors, in sRGB steps of any channel, above which the border between them is antialiased."""

_MASKS = np.arange(1 << LANES)[:, None] >> np.arange(LANES) & 1
_COUNT = _MASKS.sum(1).astype(np.float32)
_MEAN_X, _MEAN_Y = ((_MASKS @ samples / np.maximum(_COUNT, 1)).astype(np.float32) for samples in (SAMPLE_X, SAMPLE_Y))
"""Number and mean place of a pixel's samples, for each set of them."""


@inlined
@no_type_check
def _differ(one, other):
    """Whether colors differ visibly in any channel."""
    red, green, blue = (one & 255) - (other & 255), (one >> 8 & 255) - (other >> 8 & 255), (one >> 16) - (other >> 16)
    most = greatest(greatest(red, greatest(green, blue)), 0 - least(red, least(green, blue)))
    return most > CONTRAST


@kernel
@no_type_check
def _touch(faces, one, other):
    for i in range(3):
        for j in range(3):
            if faces[one, i] == faces[other, j]:
                return True
    return False


@kernel
@no_type_check
def _mark(place, marked, slot, edges, count):
    if not marked[place]:
        marked[place] = 1
        slot[place] = count
        edges[count] = place
        count += 1
    return count


@kernel
@no_type_check
def mark_edges(width, triangle, face_of, faces, image, marked, slot, edges):
    """Number the pixels on edges.

    Args:
        width: of the image.
        triangle: (H W + LANES,) int32 collected triangle at each pixel, or -1.
        face_of: (F,) int32 face of each collected triangle.
        faces: (F, 3) int32.
        image: (3 (H W + LANES),) uint8 with one sample per pixel.
        marked: (H W + LANES,) uint8, filled: which pixels are on an edge.
        slot: (H W,) int32, where the numbers of these pixels are filled in.
        edges: (H W,) int32, filled with the places of these pixels: row * width + column.

    Returns:
        Number of edge pixels.
    """
    marked[:] = 0
    count, end = 0, len(triangle) - LANES
    steps = load(STEPS, 0)
    for start in range(0, end, width):
        below = width if start + width < end else 0
        for column in range(0, width, LANES):
            at = start + column
            here = load(triangle, at)
            # The last column has no neighbor to its right.
            across = (here != load(triangle, at + 1)) & (steps < width - 1 - column)
            down = (here != load(triangle, at + below)) & (steps < width - column)
            if bits(across | down) == 0:
                continue
            color = load_pixels(image, at)
            for border, step in ((across, 1), (down, below)):
                left = bits(border & _differ(color, load_pixels(image, at + step)))
                while left:
                    place = at + lowest_bit(left)
                    left &= left - 1
                    one, other = triangle[place], triangle[place + step]
                    if one < 0 or other < 0 or not _touch(faces, face_of[one], face_of[other]):
                        count = _mark(place, marked, slot, edges, count)
                        count = _mark(place + step, marked, slot, edges, count)
    return count


@kernel
@no_type_check
def split_edges(seen, edges, width, triangle, x, y, share, ends):
    """List the triangles that each edge pixel shows: their mean place in it, so that they are never read outside.

    Args:
        seen: (8 slots,) int32 collected triangle at each sample of each edge pixel, or -1.
        edges: (slots,) int32 place of each edge pixel, row * width + column.
        width: of the image.
        triangle: (parts + LANES,) int32, filled with the collected triangles, and -1 in the margin.
        x: (parts + LANES,) float32, filled with their columns, pixels.
        y: (parts + LANES,) float32, filled with their rows.
        share: (parts,) float32, filled with the share of the pixel's samples.
        ends: (slots,) int32, filled with the end of each pixel's part of the list.

    Returns:
        Number of parts.
    """
    count = 0
    for slot in range(len(edges)):
        row, column = divmod(edges[slot], width)
        found = load(seen, LANES * slot)
        left = bits(found >= 0)
        while left:
            number = seen[LANES * slot + lowest_bit(left)]
            mask = bits(found == number)
            left &= ~mask
            triangle[count], share[count] = number, _COUNT[mask] / np.float32(LANES)
            x[count] = np.float32(column) + np.float32(0.5) + _MEAN_X[mask]
            y[count] = np.float32(row) + np.float32(0.5) + _MEAN_Y[mask]
            count += 1
        ends[slot] = count
    triangle[count : count + LANES] = -1
    return count


@kernel
@no_type_check
def blend_edges(edges, colors, share, ends, background, image):
    """Color the edge pixels by the share of each triangle and of the background.

    Args:
        edges: see `split_edges`.
        colors: (3 parts,) uint8 sRGB of each part.
        share: see `split_edges`.
        ends: see there.
        background: (3 H W,) uint8 sRGB.
        image: (3 (H W + LANES),) uint8 sRGB, where the edge pixels are overwritten.
    """
    start = 0
    for slot in range(len(edges)):
        place = 3 * edges[slot]
        for c in range(3):
            rest, light = np.float32(1), np.float32(0)
            for part in range(start, ends[slot]):
                light += share[part] * BYTE_TO_LINEAR[colors[3 * part + c]]
                rest -= share[part]
            light += rest * BYTE_TO_LINEAR[background[place + c]]
            row = np.sqrt(min(light, np.float32(1))) * np.float32(TONE_STEPS - 1) + np.float32(0.5)
            image[place + c] = LINEAR_TO_BYTE[int(row)]
        start = ends[slot]
