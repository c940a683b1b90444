"""Color of points on the surface: interpolation, texture, light.

Diffuse light is Lambert's, wrapped around the terminator and further for red where the surface is translucent, as
light does that travels under skin; highlights are Blinn-Phong with a little more at grazing angles.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.rendering.color import BRIGHTEST, TONE_STEPS, TONE_TABLE
from facetalk.rendering.kernels import inlined, kernel
from facetalk.rendering.lanes import (
    LANES,
    bits,
    floats,
    gather,
    greatest,
    least,
    load,
    load_pixels,
    mixed_rows,
    root,
    rows,
    select,
    store_pixels,
    truncated,
)
from facetalk.rendering.rasterizer import PLANES

LOOK = 16
"""Columns of the table of vertices: normal, texel column; linear color, texel row; specular strength and exponent,
translucency, exposure; four that are unused."""

BLEED = (0.42, 0.16, 0.10)
"""How far red, green and blue light travels under translucent skin, as a wrap of the diffuse term."""

_BLEED_R, _BLEED_G, _BLEED_B = (np.float32(value) for value in BLEED)
_TINY = np.float32(1e-12)
_TO_TABLE = np.float32((TONE_STEPS - 1) / np.sqrt(BRIGHTEST))


@inlined
@no_type_check
def _wrapped(facing, wrap):
    """Diffuse light of a surface whose terminator lies beyond a right angle."""
    edge = 1 + wrap
    return greatest(facing + wrap, 0) / (edge * edge)


@inlined
@no_type_check
def _tone_row(value):
    return truncated(root(least(greatest(value, 0), BRIGHTEST)) * _TO_TABLE + 0.5)


@inlined
@no_type_check
def _lit(nx, ny, nz, red, green, blue, strength, exponent, translucency, exposure, x, y, lens, lights):
    """Scene light of points, as rows of the tone table.

    Args:
        nx: normal, of any length.
        ny: see there.
        nz: see there.
        red: linear color.
        green: see there.
        blue: see there.
        strength: of the highlights.
        exponent: of the highlights.
        translucency: in [0, 1].
        exposure: share of the light that arrives.
        x: place in the image, pixels.
        y: see there.
        lens: (4,) float32 fx, fy, cx, cy in pixels.
        lights: see `Studio.table`.
    """
    scale = 1 / root(nx * nx + ny * ny + nz * nz + _TINY)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    # Towards the viewer.
    vx, vy = (lens[2] - x) * (1 / lens[0]), (y - lens[3]) * (1 / lens[1])
    vz = 1 / root(vx * vx + vy * vy + 1)
    vx, vy = vx * vz, vy * vz
    towards_viewer = nx * vx + ny * vy + nz * vz
    wrap_r, wrap_g, wrap_b = translucency * _BLEED_R, translucency * _BLEED_G, translucency * _BLEED_B
    up = 0.5 * ny + 0.5
    diffuse_r = lights[4, 3] + (lights[3, 3] - lights[4, 3]) * up
    diffuse_g = lights[4, 4] + (lights[3, 4] - lights[4, 4]) * up
    diffuse_b = lights[4, 5] + (lights[3, 5] - lights[4, 5]) * up
    shine_r, shine_g, shine_b = floats(0), floats(0), floats(0)
    for k in range(3):
        lx, ly, lz, lr, lg, lb = lights[k, 0], lights[k, 1], lights[k, 2], lights[k, 3], lights[k, 4], lights[k, 5]
        facing = nx * lx + ny * ly + nz * lz
        diffuse_r += lr * _wrapped(facing, wrap_r + lights[k, 6])
        diffuse_g += lg * _wrapped(facing, wrap_g + lights[k, 6])
        diffuse_b += lb * _wrapped(facing, wrap_b + lights[k, 6])
        # The half vector l + v of two unit vectors has the squared length 2 + 2 l v.
        across = (facing + towards_viewer) / root(2 * (vx * lx + vy * ly + vz * lz) + np.float32(2.000001))
        # cos^n written as (1 - n (1 - cos) / 64)^64: the same lobe without a call to pow.
        lobe = greatest(1 - exponent * (1 - across) * np.float32(1 / 64), 0)
        for _ in range(6):
            lobe *= lobe
        # No highlights on the unlit side of the terminator.
        lobe *= lights[k, 7] * least(greatest(8 * facing, 0), 1)
        shine_r += lobe * lr
        shine_g += lobe * lg
        shine_b += lobe * lb
    grazing = 1 - least(greatest(towards_viewer, 0), 1)
    grazing *= grazing
    gloss = strength * (1 + 2 * grazing * grazing)
    return (
        _tone_row(exposure * (red * diffuse_r + gloss * shine_r)),
        _tone_row(exposure * (green * diffuse_g + gloss * shine_g)),
        _tone_row(exposure * (blue * diffuse_b + gloss * shine_b)),
    )


@kernel
@no_type_check
def shade(triangle, x, y, face_of, planes, faces, look, texture, texture_rows, texture_columns, lens, lights, image):
    """Color points; those without a triangle keep their colors in the image.

    Args:
        triangle: (points + LANES,) int32 collected triangle at each point, or -1 as in the margin.
        x: (points + LANES,) float32 column of each point, pixels.
        y: (points + LANES,) float32 row.
        face_of: see `rasterizer.set_up`.
        planes: (triangles PLANES,) float32, see there.
        faces: (3 faces,) int32 rows of `look` for the corners of each face.
        look: (vertices LOOK,) float32, perspective-correctly interpolated.
        texture: (4 texels,) float32 linear light, multiplied with the color.
        texture_rows: of the texture, of which the last one repeats the one before.
        texture_columns: likewise.
        lens: see `_lit`.
        lights: see there.
        image: (3 (points + LANES),) uint8 sRGB.
    """
    for at in range(0, len(triangle) - LANES, LANES):
        number = load(triangle, at)
        shown = number >= 0
        if bits(shown) == 0:
            continue
        number = greatest(number, 0)
        px, py = load(x, at), load(y, at)
        a0, b0, c0, a1, b1, c1, a2, b2 = rows(planes, number * PLANES)
        c2, left, top, _, _, _, _, _ = rows(planes, number * PLANES + LANES)
        dx, dy = px - left, py - top
        l0, l1, l2 = a0 * dx + b0 * dy + c0, a1 * dx + b1 * dy + c1, a2 * dx + b2 * dy + c2
        depth = 1 / (l0 + l1 + l2)
        shares = l0 * depth, l1 * depth, l2 * depth
        face = 3 * gather(face_of, number)
        p, q, r = LOOK * gather(faces, face), LOOK * gather(faces, face + 1), LOOK * gather(faces, face + 2)
        nx, ny, nz, u, red, green, blue, v = mixed_rows(look, (p, q, r), shares)
        strength, exponent, translucency, exposure, _, _, _, _ = mixed_rows(
            look, (p + LANES, q + LANES, r + LANES), shares
        )
        u, v = least(greatest(u, 0), texture_columns - 2), least(greatest(v, 0), texture_rows - 2)
        column, row = truncated(u), truncated(v)
        right, down = u - floats(column), v - floats(row)
        # A texel and the one to its right are read at once.
        texel = 4 * (row * texture_columns + column)
        r0, g0, b0, _, r1, g1, b1, _ = mixed_rows(texture, (texel, texel + 4 * texture_columns), (1 - down, down))
        red, green, blue = (
            red * (r0 + (r1 - r0) * right), green * (g0 + (g1 - g0) * right), blue * (b0 + (b1 - b0) * right)
        )  # fmt: skip
        row_r, row_g, row_b = _lit(
            nx, ny, nz, red, green, blue, strength, exponent, translucency, exposure, px, py, lens, lights
        )
        red, green, blue = gather(TONE_TABLE, row_r), gather(TONE_TABLE, row_g), gather(TONE_TABLE, row_b)
        color = red | (green << 8) | (blue << 16)
        store_pixels(image, at, select(shown, color, load_pixels(image, at)))
