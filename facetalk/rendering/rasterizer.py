"""Visibility: the nearest triangle at each pixel or sample.

Triangles are never divided by depth or clipped: the three barycentric coordinates over depth are linear functions of
the pixel even for a triangle that reaches behind the camera (Olano and Greer, "Triangle Scan Conversion using 2D
Homogeneous Coordinates", 1997). Their sum is the inverse depth, their shares are the perspective-correct weights.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np

from facetalk.rendering.kernels import kernel

NEAR = np.float32(0.01)
"""Nothing closer to the camera is rendered, meters."""

SLACK = np.float32(1e-5)
"""By how much a barycentric coordinate may be negative, so that rounding never opens a crack between neighbors."""

SAMPLE_X = np.array([9, 7, 13, 5, 3, 1, 11, 15], np.float32) / np.float32(16) - np.float32(0.5)
SAMPLE_Y = np.array([5, 11, 9, 3, 13, 7, 15, 1], np.float32) / np.float32(16) - np.float32(0.5)
"""Offsets of the eight samples of an edge pixel from its center: each column and row of an 8x8 grid is used once."""


_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


@kernel
@no_type_check
def to_pixels(vertices, pose, lens, seen, pixels):
    """Camera-frame positions, and homogeneous pixels (u w, v w, w) with depth w.

    Args:
        vertices: (V, 3) float32 world frame, meters.
        pose: (3, 4) float32 world to camera.
        lens: (4,) float32 fx, fy, cx, cy in pixels.
        seen: (V, 3) float32, filled with positions in the camera's frame.
        pixels: (V, 3) float64, filled with homogeneous pixels.
    """
    for i in range(len(vertices)):
        x, y, z = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        cx = pose[0, 0] * x + pose[0, 1] * y + pose[0, 2] * z + pose[0, 3]
        cy = pose[1, 0] * x + pose[1, 1] * y + pose[1, 2] * z + pose[1, 3]
        cz = pose[2, 0] * x + pose[2, 1] * y + pose[2, 2] * z + pose[2, 3]
        seen[i, 0], seen[i, 1], seen[i, 2] = cx, cy, cz
        pixels[i, 0] = lens[2] * -cz + lens[0] * cx
        pixels[i, 1] = lens[3] * -cz - lens[1] * cy
        pixels[i, 2] = -cz


@kernel
@no_type_check
def set_up(pixels, faces, width, height, face_of, planes, boxes):
    """Collect the triangles that face the camera and touch the image.

    Args:
        pixels: (V, 3) float64 homogeneous pixels.
        faces: (F, 3) int32.
        width: of the image.
        height: of the image.
        face_of: (F,) int32, filled with the face of each collected triangle.
        planes: (F, 9) float32, filled with a, b, c of each corner: its weight over depth at the pixel with offset
            (dx, dy) from the center of the box's first pixel is a dx + b dy + c.
        boxes: (F, 8) int32, filled with first and last column, first and last row of the pixels that the triangle
            may touch, and the same of the pixels whose centers it may cover.

    Returns:
        Number of collected triangles.
    """
    count = 0
    for face in range(len(faces)):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        x0, y0, w0 = pixels[i, 0], pixels[i, 1], pixels[i, 2]
        x1, y1, w1 = pixels[j, 0], pixels[j, 1], pixels[j, 2]
        x2, y2, w2 = pixels[k, 0], pixels[k, 1], pixels[k, 2]
        a0, b0, c0 = y1 * w2 - y2 * w1, x2 * w1 - x1 * w2, x1 * y2 - x2 * y1
        volume = x0 * a0 + y0 * b0 + w0 * c0
        # Rows grow downwards, so a counter-clockwise triangle has a negative volume.
        if volume >= -1e-12:
            continue
        if w0 > NEAR and w1 > NEAR and w2 > NEAR:
            u0, u1, u2 = x0 / w0, x1 / w1, x2 / w2
            v0, v1, v2 = y0 / w0, y1 / w1, y2 / w2
            left, right = min(u0, u1, u2), max(u0, u1, u2)
            top, bottom = min(v0, v1, v2), max(v0, v1, v2)
            if right < 0 or bottom < 0 or left >= width or top >= height:
                continue
            left, top = max(left, 0.0), max(top, 0.0)
            right, bottom = min(right, width - 0.25), min(bottom, height - 0.25)
        elif w0 <= NEAR and w1 <= NEAR and w2 <= NEAR:
            continue
        else:
            left, top, right, bottom = 0.0, 0.0, width - 0.25, height - 0.25
        first_column, first_row = int(left), int(top)
        scale = 1.0 / volume
        a1, b1, c1 = y2 * w0 - y0 * w2, x0 * w2 - x2 * w0, x2 * y0 - x0 * y2
        a2, b2, c2 = y0 * w1 - y1 * w0, x1 * w0 - x0 * w1, x0 * y1 - x1 * y0
        u, v = first_column + 0.5, first_row + 0.5
        planes[count, 0], planes[count, 1], planes[count, 2] = a0 * scale, b0 * scale, (a0 * u + b0 * v + c0) * scale
        planes[count, 3], planes[count, 4], planes[count, 5] = a1 * scale, b1 * scale, (a1 * u + b1 * v + c1) * scale
        planes[count, 6], planes[count, 7], planes[count, 8] = a2 * scale, b2 * scale, (a2 * u + b2 * v + c2) * scale
        boxes[count, 0], boxes[count, 1] = first_column, int(right)
        boxes[count, 2], boxes[count, 3] = first_row, int(bottom)
        boxes[count, 4], boxes[count, 5] = math.ceil(left - 0.5), math.floor(right - 0.5)
        boxes[count, 6], boxes[count, 7] = math.ceil(top - 0.5), math.floor(bottom - 0.5)
        face_of[count] = face
        count += 1
    return count


@kernel
@no_type_check
def cover(count, planes, boxes, nearness, triangle):
    """Nearest triangle at each pixel's center.

    Args:
        count: number of triangles.
        planes: see `set_up`.
        boxes: see `set_up`.
        nearness: (H, W) float32, filled with the inverse depth, 0 where there is none.
        triangle: (H, W) int32, filled with the number of the collected triangle, -1 where there is none.
    """
    nearness[:] = np.float32(0)
    triangle[:] = -1
    limit = _ONE / NEAR
    width = triangle.shape[1]
    # Flat views and unsigned steps avoid the check for negative indices.
    flat_nearness, flat_triangle = nearness.reshape(-1), triangle.reshape(-1)
    for t in range(count):
        first, last, top, bottom = boxes[t, 4], boxes[t, 5], boxes[t, 6], boxes[t, 7]
        if last < first or bottom < top:
            continue
        a0, a1, a2 = planes[t, 0], planes[t, 3], planes[t, 6]
        b0, b1, b2 = planes[t, 1], planes[t, 4], planes[t, 7]
        c0, c1, c2 = planes[t, 2], planes[t, 5], planes[t, 8]
        a3, b3, c3 = a0 + a1 + a2, b0 + b1 + b2, c0 + c1 + c2
        a0, a1, a2 = a0 + SLACK * a3, a1 + SLACK * a3, a2 + SLACK * a3
        b0, b1, b2 = b0 + SLACK * b3, b1 + SLACK * b3, b2 + SLACK * b3
        c0, c1, c2 = c0 + SLACK * c3, c1 + SLACK * c3, c2 + SLACK * c3
        dx = np.float32(first - boxes[t, 0])
        for row in range(top, bottom + 1):
            dy = np.float32(row - boxes[t, 2])
            r0, r1, r2 = a0 * dx + b0 * dy + c0, a1 * dx + b1 * dy + c1, a2 * dx + b2 * dy + c2
            r3 = a3 * dx + b3 * dy + c3
            start = np.uint64(row * width + first)
            for i in range(np.uint64(last - first + 1)):
                step = np.float32(i)
                l0, l1, l2, near = r0 + a0 * step, r1 + a1 * step, r2 + a2 * step, r3 + a3 * step
                inside = min(l0, min(l1, l2)) >= _ZERO
                if inside and (near > flat_nearness[start + i]) & (near < limit):
                    flat_nearness[start + i] = near
                    flat_triangle[start + i] = t


@kernel
@no_type_check
def cover_samples(count, planes, boxes, edges, slot, nearness, triangle):
    """Nearest triangle at each of the eight samples of the pixels that have a slot.

    Args:
        count: number of triangles.
        planes: see `set_up`.
        boxes: see `set_up`.
        edges: (slots, 2) int32 row and column of the pixels that have a slot.
        slot: (H, W) int32, row in `edges` and in the arrays below, or -1.
        nearness: (slots, 8) float32, filled with the inverse depth.
        triangle: (slots, 8) int32, filled with the number of the collected triangle, -1 where there is none.
    """
    nearness[:] = np.float32(0)
    triangle[:] = -1
    limit = _ONE / NEAR
    width = slot.shape[1]
    flat_slot = slot.reshape(-1)
    # Most triangles are far from any edge; a map of 8x8 blocks rejects them quickly.
    blocks = np.zeros((slot.shape[0] // 8 + 1, width // 8 + 1), np.bool_)
    for s in range(len(edges)):
        blocks[edges[s, 0] // 8, edges[s, 1] // 8] = True
    # The number of samples is read, not a literal: only then does the compiler vectorize over all eight.
    samples = nearness.shape[1]
    e0, e1, e2 = np.empty(samples, np.float32), np.empty(samples, np.float32), np.empty(samples, np.float32)
    found = np.empty(samples, np.float32)
    for t in range(count):
        first, last, top, bottom = boxes[t, 0], boxes[t, 1], boxes[t, 2], boxes[t, 3]
        near_edge = False
        for y in range(top >> 3, (bottom >> 3) + 1):
            for x in range(first >> 3, (last >> 3) + 1):
                near_edge |= blocks[y, x]
        if not near_edge:
            continue
        a0, b0, c0 = planes[t, 0], planes[t, 1], planes[t, 2]
        a1, b1, c1 = planes[t, 3], planes[t, 4], planes[t, 5]
        a2, b2, c2 = planes[t, 6], planes[t, 7], planes[t, 8]
        reach0, reach1, reach2 = _HALF * (abs(a0) + abs(b0)), _HALF * (abs(a1) + abs(b1)), _HALF * (abs(a2) + abs(b2))
        fresh = True
        for row in range(top, bottom + 1):
            dy = np.float32(row - top)
            start = np.uint64(row * width + first)
            for i in range(np.uint64(last - first + 1)):
                s = flat_slot[start + i]
                if s < 0:
                    continue
                dx = np.float32(i)
                r0, r1, r2 = a0 * dx + b0 * dy + c0, a1 * dx + b1 * dy + c1, a2 * dx + b2 * dy + c2
                slack = SLACK * (abs(r0) + abs(r1) + abs(r2))
                if min(r0 + reach0, min(r1 + reach1, r2 + reach2)) < -slack:
                    continue  # nowhere inside this pixel
                if fresh:
                    for j in range(samples):
                        e0[j] = a0 * SAMPLE_X[j] + b0 * SAMPLE_Y[j]
                        e1[j] = a1 * SAMPLE_X[j] + b1 * SAMPLE_Y[j]
                        e2[j] = a2 * SAMPLE_X[j] + b2 * SAMPLE_Y[j]
                    fresh = False
                for j in range(samples):
                    l0, l1, l2 = e0[j] + r0, e1[j] + r1, e2[j] + r2
                    near = l0 + l1 + l2
                    hit = (min(l0, min(l1, l2)) >= -SLACK * near) & (near < limit)
                    found[j] = near if hit else _ZERO
                for j in range(samples):
                    hit = found[j] > nearness[s, j]
                    nearness[s, j] = found[j] if hit else nearness[s, j]
                    triangle[s, j] = t if hit else triangle[s, j]
