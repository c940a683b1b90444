"""Color of points on the surface: interpolation, texture, light.

Diffuse light is Lambert's, wrapped around the terminator and further for red where the surface is translucent, as
light does that travels under skin; highlights are Blinn-Phong with a little more at grazing angles.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.rendering.color import BRIGHTEST, TONE_STEPS, TONE_TABLE
from facetalk.rendering.kernels import kernel

BATCH = 512
"""Points that are shaded together: few enough for the L1 cache, enough for the widest vector registers."""

LOOK = 10
"""Columns of the vertex table: normal, linear color, specular strength and exponent, translucency, exposure."""

WORK = LOOK + 5
"""Rows of the work table: those of `LOOK`, then pixel column and row, then red, green and blue.

The table is one flat array: with all offsets known, the compiler sees that rows do not overlap and vectorizes the
loops.
"""

COLUMN, ROW, RED, GREEN, BLUE = (BATCH * row for row in range(LOOK, WORK))

BLEED = (0.42, 0.16, 0.10)
"""How far red, green and blue light travels under translucent skin, as a wrap of the diffuse term."""

_WRAP_R, _WRAP_G, _WRAP_B = (np.float32(value) for value in BLEED)
_ZERO, _HALF, _ONE, _TINY = np.float32(0), np.float32(0.5), np.float32(1), np.float32(1e-12)
_TO_TABLE = np.float32((TONE_STEPS - 1) / np.sqrt(BRIGHTEST))
_BRIGHTEST = np.float32(BRIGHTEST)
_LOBE = np.float32(1 / 64)


@kernel
@no_type_check
def interpolate(n, number, face_of, planes, boxes, faces, look, uv, texture, work):
    """Vertex values at points, perspective-correct.

    Args:
        n: number of points, whose pixel columns and rows are in `work`.
        number: (BATCH,) int32 collected triangle of each point.
        face_of: see `rasterizer.set_up`, like `planes` and `boxes`.
        planes: see there.
        boxes: see there.
        faces: (F, 3) int32.
        look: (V, LOOK) float32.
        uv: (F, 6) float32 texel column and row of each corner; empty without a texture.
        texture: (rows, columns, 4) float32 linear light; the last row and column repeat the ones before.
        work: (WORK BATCH,) float32, where the rows of `LOOK` are filled.
    """
    last_column, last_row = np.float32(texture.shape[1] - 2), np.float32(texture.shape[0] - 2)
    textured = len(uv) > 0
    texels = texture.reshape(-1)
    line = np.uint64(4 * texture.shape[1])
    for i in range(np.uint64(n)):
        t = np.uint64(number[i])
        dx = work[COLUMN + i] - (np.float32(boxes[t, 0]) + _HALF)
        dy = work[ROW + i] - (np.float32(boxes[t, 2]) + _HALF)
        l0 = planes[t, 0] * dx + planes[t, 1] * dy + planes[t, 2]
        l1 = planes[t, 3] * dx + planes[t, 4] * dy + planes[t, 5]
        l2 = planes[t, 6] * dx + planes[t, 7] * dy + planes[t, 8]
        depth = _ONE / (l0 + l1 + l2)
        l0, l1, l2 = l0 * depth, l1 * depth, l2 * depth
        face = np.uint64(face_of[t])
        p, q, r = np.uint64(faces[face, 0]), np.uint64(faces[face, 1]), np.uint64(faces[face, 2])
        for c in range(LOOK):
            work[c * BATCH + i] = l0 * look[p, c] + l1 * look[q, c] + l2 * look[r, c]
        if textured:
            x = l0 * uv[face, 0] + l1 * uv[face, 2] + l2 * uv[face, 4]
            y = l0 * uv[face, 1] + l1 * uv[face, 3] + l2 * uv[face, 5]
            x, y = min(max(x, _ZERO), last_column), min(max(y, _ZERO), last_row)
            left, top = np.int32(x), np.int32(y)
            fx, fy = x - np.float32(left), y - np.float32(top)
            w0, w1, w2, w3 = (_ONE - fx) * (_ONE - fy), fx * (_ONE - fy), (_ONE - fx) * fy, fx * fy
            a = np.uint64(top) * line + np.uint64(4) * np.uint64(left)
            b = a + line
            for c in range(np.uint64(3)):
                above = w0 * texels[a + c] + w1 * texels[a + np.uint64(4) + c]
                below = w2 * texels[b + c] + w3 * texels[b + np.uint64(4) + c]
                work[(3 + c) * BATCH + i] *= above + below


@kernel
@no_type_check
def light(n, lens, lights, work):
    """Scene light of interpolated points, written as rows of the tone table.

    Args:
        n: number of points.
        lens: (4,) float32 fx, fy, cx, cy in pixels.
        lights: see `Studio.table`.
        work: (WORK BATCH,) float32, filled by `interpolate` except for red, green and blue.
    """
    fx, fy, cx, cy = _ONE / lens[0], _ONE / lens[1], lens[2], lens[3]
    x0, y0, z0, r0, g0, b0, soft0, gleam0 = lights[0]
    x1, y1, z1, r1, g1, b1, soft1, gleam1 = lights[1]
    x2, y2, z2, r2, g2, b2, soft2, gleam2 = lights[2]
    _, _, _, sky_r, sky_g, sky_b, _, _ = lights[3]
    _, _, _, ground_r, ground_g, ground_b, _, _ = lights[4]
    for i in range(n):
        nx, ny, nz = work[i], work[BATCH + i], work[2 * BATCH + i]
        scale = _ONE / np.sqrt(nx * nx + ny * ny + nz * nz + _TINY)
        nx, ny, nz = nx * scale, ny * scale, nz * scale
        # Towards the viewer.
        vx, vy = (cx - work[COLUMN + i]) * fx, (work[ROW + i] - cy) * fy
        scale = _ONE / np.sqrt(vx * vx + vy * vy + _ONE)
        vx, vy, vz = vx * scale, vy * scale, scale
        exponent, translucent = work[7 * BATCH + i], work[8 * BATCH + i]
        up = _HALF * ny + _HALF
        diffuse_r = ground_r + (sky_r - ground_r) * up
        diffuse_g = ground_g + (sky_g - ground_g) * up
        diffuse_b = ground_b + (sky_b - ground_b) * up
        shine_r, shine_g, shine_b = _ZERO, _ZERO, _ZERO
        for k in range(3):
            lx, ly, lz = (x0, y0, z0) if k == 0 else ((x1, y1, z1) if k == 1 else (x2, y2, z2))
            lr, lg, lb = (r0, g0, b0) if k == 0 else ((r1, g1, b1) if k == 1 else (r2, g2, b2))
            soft, gleam = (soft0, gleam0) if k == 0 else ((soft1, gleam1) if k == 1 else (soft2, gleam2))
            facing = nx * lx + ny * ly + nz * lz
            wrap_r, wrap_g = soft + translucent * _WRAP_R, soft + translucent * _WRAP_G
            wrap_b = soft + translucent * _WRAP_B
            diffuse_r += lr * max(facing + wrap_r, _ZERO) / ((_ONE + wrap_r) * (_ONE + wrap_r))
            diffuse_g += lg * max(facing + wrap_g, _ZERO) / ((_ONE + wrap_g) * (_ONE + wrap_g))
            diffuse_b += lb * max(facing + wrap_b, _ZERO) / ((_ONE + wrap_b) * (_ONE + wrap_b))
            hx, hy, hz = lx + vx, ly + vy, lz + vz
            across = (nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz + _TINY)
            # cos^n written as (1 - n (1 - cos) / 64)^64: the same lobe without a call to pow.
            lobe = max(_ONE - exponent * (_ONE - across) * _LOBE, _ZERO)
            lobe *= lobe
            lobe *= lobe
            lobe *= lobe
            lobe *= lobe
            lobe *= lobe
            lobe *= lobe
            # No highlights on the unlit side of the terminator.
            lobe *= gleam * min(max(np.float32(8) * facing, _ZERO), _ONE)
            shine_r += lobe * lr
            shine_g += lobe * lg
            shine_b += lobe * lb
        grazing = _ONE - min(max(nx * vx + ny * vy + nz * vz, _ZERO), _ONE)
        grazing *= grazing
        gloss, exposure = work[6 * BATCH + i] * (_ONE + np.float32(2) * grazing * grazing), work[9 * BATCH + i]
        r = exposure * (work[3 * BATCH + i] * diffuse_r + gloss * shine_r)
        g = exposure * (work[4 * BATCH + i] * diffuse_g + gloss * shine_g)
        b = exposure * (work[5 * BATCH + i] * diffuse_b + gloss * shine_b)
        work[RED + i] = np.sqrt(min(max(r, _ZERO), _BRIGHTEST)) * _TO_TABLE + _HALF
        work[GREEN + i] = np.sqrt(min(max(g, _ZERO), _BRIGHTEST)) * _TO_TABLE + _HALF
        work[BLUE + i] = np.sqrt(min(max(b, _ZERO), _BRIGHTEST)) * _TO_TABLE + _HALF


@kernel
@no_type_check
def shade_pixels(triangle, face_of, planes, boxes, faces, look, uv, texture, lens, lights, image):
    """Shade every pixel whose center a triangle covers; the others keep their values in `image`.

    Args:
        triangle: (H, W) int32 collected triangle at each pixel, or -1.
        face_of: see `interpolate`, like all up to `texture`.
        planes: see there.
        boxes: see there.
        faces: see there.
        look: see there.
        uv: see there.
        texture: see there.
        lens: see `light`.
        lights: see there.
        image: (H, W, 3) uint8 sRGB, the background.
    """
    height, width = triangle.shape
    flat = image.reshape(-1)
    work = np.empty(WORK * BATCH, np.float32)
    number, place = np.empty(BATCH, np.int32), np.empty(BATCH, np.int64)
    n = 0
    for row in range(height):
        for column in range(width):
            if triangle[row, column] >= 0:
                number[n], place[n] = triangle[row, column], 3 * (row * width + column)
                work[COLUMN + n], work[ROW + n] = np.float32(column) + _HALF, np.float32(row) + _HALF
                n += 1
            if n == BATCH or (n > 0 and row == height - 1 and column == width - 1):
                interpolate(n, number, face_of, planes, boxes, faces, look, uv, texture, work)
                light(n, lens, lights, work)
                for i in range(np.uint64(n)):
                    at = np.uint64(place[i])
                    flat[at] = TONE_TABLE[np.uint64(work[RED + i])]
                    flat[at + np.uint64(1)] = TONE_TABLE[np.uint64(work[GREEN + i])]
                    flat[at + np.uint64(2)] = TONE_TABLE[np.uint64(work[BLUE + i])]
                n = 0
