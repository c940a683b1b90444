"""Antialiasing: only the pixels on an edge are shaded again, with eight samples each.

An edge is where neighboring pixels differ visibly and show triangles that have no vertex in common: outlines, the
rims of lids and lips, and also places where the triangles are too small for one sample per pixel.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.rendering.color import BYTE_TO_LINEAR, LINEAR_TO_BYTE, TONE_STEPS, TONE_TABLE
from facetalk.rendering.kernels import kernel
from facetalk.rendering.rasterizer import SAMPLE_X, SAMPLE_Y
from facetalk.rendering.shading import BATCH, BLUE, COLUMN, GREEN, RED, ROW, WORK, interpolate, light

CONTRAST = 9
"""Difference of two neighbors, in sRGB steps of any channel, above which the border between them is antialiased."""

_HALF = np.float32(0.5)
_EIGHTH = np.float32(1 / 8)


@kernel
@no_type_check
def _difference(image, row, column, y, x):
    red = abs(np.int32(image[row, column, 0]) - np.int32(image[y, x, 0]))
    green = abs(np.int32(image[row, column, 1]) - np.int32(image[y, x, 1]))
    blue = abs(np.int32(image[row, column, 2]) - np.int32(image[y, x, 2]))
    return max(red, max(green, blue))


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
def mark_edges(triangle, face_of, faces, image, slot, edges):
    """Number the pixels on edges.

    Args:
        triangle: (H, W) int32 collected triangle at each pixel, or -1.
        face_of: (F,) int32 face of each collected triangle.
        faces: (F, 3) int32.
        image: (H, W, 3) uint8 with one sample per pixel.
        slot: (H, W) int32, filled with the number of each edge pixel, -1 elsewhere.
        edges: (H W, 2) int32, filled with row and column of each edge pixel.

    Returns:
        Number of edge pixels.
    """
    height, width = triangle.shape
    slot[:] = -1
    count = 0
    borders, spots = np.zeros(width, np.uint8), np.empty(width + 1, np.int64)
    for row in range(np.uint64(height)):
        below = min(row + np.uint64(1), np.uint64(height - 1))
        for column in range(width - 1):
            here = triangle[row, column]
            borders[column] = (here != triangle[row, column + 1]) | (here != triangle[below, column])
        borders[width - 1] = triangle[row, width - 1] != triangle[below, width - 1]
        # Borders are too irregular for branch prediction: list them without a branch.
        found = np.uint64(0)
        for column in range(np.uint64(width)):
            spots[found] = column
            found += np.uint64(borders[column])
        for i in range(found):
            column = np.uint64(spots[i])
            right = min(column + np.uint64(1), np.uint64(width - 1))
            here = triangle[row, column]
            across = _difference(image, row, column, row, right) > CONTRAST
            down = _difference(image, row, column, below, column) > CONTRAST
            for y, x, far in ((row, right, across), (below, column, down)):
                there = triangle[y, x]
                if not far or there == here:
                    continue
                if here >= 0 and there >= 0 and _touch(faces, face_of[here], face_of[there]):
                    continue
                if slot[row, column] < 0:
                    slot[row, column] = count
                    edges[count, 0], edges[count, 1] = row, column
                    count += 1
                if slot[y, x] < 0:
                    slot[y, x] = count
                    edges[count, 0], edges[count, 1] = y, x
                    count += 1
    return count


@kernel
@no_type_check
def _add(n, number, owner, weight, face_of, planes, boxes, faces, look, uv, texture, lens, lights, work, total):
    interpolate(n, number, face_of, planes, boxes, faces, look, uv, texture, work)
    light(n, lens, lights, work)
    for i in range(n):
        s, share = owner[i], weight[i]
        total[s, 0] += share * BYTE_TO_LINEAR[TONE_TABLE[int(work[RED + i])]]
        total[s, 1] += share * BYTE_TO_LINEAR[TONE_TABLE[int(work[GREEN + i])]]
        total[s, 2] += share * BYTE_TO_LINEAR[TONE_TABLE[int(work[BLUE + i])]]


@kernel
@no_type_check
def shade_edges(
    edges, seen, face_of, planes, boxes, faces, look, uv, texture, lens, lights, background, total, image
):  # fmt: skip
    """Color the edge pixels by the share of each triangle and of the background.

    Each triangle is shaded once per pixel, at the mean of its samples, so that nothing is read outside of it.

    Args:
        edges: (slots, 2) int32 row and column of each edge pixel.
        seen: (slots, 8) int32 collected triangle at each sample, or -1.
        face_of: see `shading.interpolate`, like all up to `texture`.
        planes: see there.
        boxes: see there.
        faces: see there.
        look: see there.
        uv: see there.
        texture: see there.
        lens: see `shading.light`.
        lights: see there.
        background: (H, W, 3) uint8 sRGB.
        total: (slots, 3) float32 workspace.
        image: (H, W, 3) uint8 sRGB, where the edge pixels are overwritten.
    """
    work, weight = np.empty(WORK * BATCH, np.float32), np.empty(BATCH, np.float32)
    number, owner = np.empty(BATCH, np.int32), np.empty(BATCH, np.int32)
    n = 0
    for s in range(len(edges)):
        row, column = edges[s, 0], edges[s, 1]
        total[s] = np.float32(0)
        for i in range(8):
            t = seen[s, i]
            if t < 0:
                for c in range(3):
                    total[s, c] += _EIGHTH * BYTE_TO_LINEAR[background[row, column, c]]
                continue
            first = True
            for j in range(i):
                first &= seen[s, j] != t
            if not first:
                continue
            x, y, share = np.float32(0), np.float32(0), np.float32(0)
            for j in range(i, 8):
                if seen[s, j] == t:
                    x += SAMPLE_X[j]
                    y += SAMPLE_Y[j]
                    share += np.float32(1)
            work[COLUMN + n] = np.float32(column) + _HALF + x / share
            work[ROW + n] = np.float32(row) + _HALF + y / share
            number[n], owner[n], weight[n] = t, s, share * _EIGHTH
            n += 1
            if n == BATCH:
                _add(n, number, owner, weight, face_of, planes, boxes, faces, look, uv, texture, lens, lights,
                     work, total)  # fmt: skip
                n = 0
    _add(n, number, owner, weight, face_of, planes, boxes, faces, look, uv, texture, lens, lights, work, total)
    for s in range(len(edges)):
        for c in range(3):
            level = np.sqrt(min(total[s, c], np.float32(1))) * np.float32(TONE_STEPS - 1) + _HALF
            image[edges[s, 0], edges[s, 1], c] = LINEAR_TO_BYTE[int(level)]
