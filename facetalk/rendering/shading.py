"""Color of points on the surface: interpolation, texture, light.

Diffuse light is Lambert's, wrapped around the terminator and further for red where the surface is translucent, as
light does that travels under skin; highlights are Blinn-Phong with a little more at grazing angles.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.rendering.color import BRIGHTEST, TONE_OFFSET, TONE_SHIFT, TONE_TABLE
from facetalk.rendering.kernels import inlined, kernel
from facetalk.rendering.lane_access import gather, load, load_pixels, mixed_rows, rows, store_pixels
from facetalk.rendering.lanes import LANES, STEPS, bit_patterns, bits, floats, greatest, least, root, select, truncated
from facetalk.rendering.rasterizer import PLANES

VERTEX = LANES
"""Columns of the table of vertices: what `aim` fills, and exposure."""

LOOK = LANES
"""Columns of the table of looks: texel column and row, linear color, strength and exponent of highlights, translucency.
At the seams of a texture, vertices have several."""

CORNERS = 6
"""Columns of the table of corners: for each corner of a face, its row in the table of vertices, then in that of
looks."""

BLEED = (0.42, 0.16, 0.10)
"""How far red, green and blue light travels under translucent skin, as a wrap of the diffuse term."""

_BLEED_R, _BLEED_G, _BLEED_B = (np.float32(value) for value in BLEED)
_TINY = np.float32(1e-12)
_DARKEST = int(np.float32(TONE_OFFSET).view(np.int32))


@kernel
@no_type_check
def aim(seen, normals, lights, vertices):
    """Fill the table of vertices: normal, cosine to the camera's axis, inverse lengths of the half vectors.

    What depends on the direction of view alone changes slowly and is interpolated between vertices.

    Args:
        seen: (V, 3) float32 in the camera's frame.
        normals: (V, 3) float32.
        lights: see `Studio.table`.
        vertices: (V, VERTEX) float32, filled up to the last column.
    """
    for i in range(len(seen)):
        x, y, z = seen[i, 0], seen[i, 1], seen[i, 2]
        scale = np.float32(-1) / np.sqrt(x * x + y * y + z * z + _TINY)
        x, y, z = scale * x, scale * y, scale * z
        vertices[i, 0], vertices[i, 1], vertices[i, 2] = normals[i, 0], normals[i, 1], normals[i, 2]
        vertices[i, 3] = z
        for k in range(3):
            # The sum of two unit vectors has the squared length 2 + 2 cos.
            cosine = lights[k, 0] * x + lights[k, 1] * y + lights[k, 2] * z
            vertices[i, 4 + k] = np.float32(1) / np.sqrt(np.float32(2.000002) + np.float32(2) * cosine)


@kernel
@no_type_check
def shade(
    triangle,
    x,
    y,
    first_y,
    face_of,
    planes,
    corners,
    vertices,
    look,
    texture,
    texture_rows,
    texture_columns,
    lens,
    lights,
    image,
):
    """Color a grid of points; those without a triangle keep their colors in the image.

    Args:
        triangle: (rows columns + LANES,) int32 collected triangle at each point, or -1.
        x: (columns + LANES,) float32 place of the columns in the image, pixels.
        y: (columns + LANES,) float32.
        first_y: (rows,) float32, to be added to `y`.
        face_of: see `rasterizer.set_up`.
        planes: (triangles PLANES,) float32, see there.
        corners: (F CORNERS,) int32, see `CORNERS`.
        vertices: (V VERTEX,) float32, see `aim`.
        look: (rows LOOK,) float32, see `LOOK`.
        texture: (4 texels,) float32 linear light, multiplied with the color.
        texture_rows: of the texture, of which the last one repeats the one before.
        texture_columns: likewise.
        lens: (4,) float32 fx, fy, cx, cy in pixels.
        lights: see `Studio.table`.
        image: (3 (rows columns + LANES),) uint8 sRGB.
    """
    columns = len(x) - LANES
    groups = (columns + LANES - 1) // LANES
    steps = load(STEPS, 0)
    for group in range(len(first_y) * groups):
        line, start = group // groups, group % groups * LANES
        at = line * columns + start
        number = load(triangle, at)
        shown = (number >= 0) & (steps < columns - start)
        if bits(shown) == 0:
            continue
        number = greatest(number, 0)
        px, py = load(x, start), load(y, start) + first_y[line]
        a0, b0, c0, a1, b1, c1, a2, b2 = rows(planes, number, PLANES, 0)
        c2, left, top, _, _, _, _, _ = rows(planes, number, PLANES, LANES)
        dx, dy = px - left, py - top
        l0, l1, l2 = a0 * dx + b0 * dy + c0, a1 * dx + b1 * dy + c1, a2 * dx + b2 * dy + c2
        depth = 1 / (l0 + l1 + l2)
        shares = l0 * depth, l1 * depth, l2 * depth
        face = gather(face_of, number, 1, 0)
        places = gather(corners, face, CORNERS, 3), gather(corners, face, CORNERS, 4), gather(corners, face, CORNERS, 5)
        u, v, red, green, blue, strength, exponent, translucency = mixed_rows(look, places, shares, LOOK, 0)
        u, v = least(greatest(u, 0), texture_columns - 2), least(greatest(v, 0), texture_rows - 2)
        column, row = truncated(u), truncated(v)
        right, down = u - floats(column), v - floats(row)
        # A texel and the one to its right are read at once.
        texel = row * texture_columns + column
        r0, g0, b0, _, r1, g1, b1, _ = mixed_rows(texture, (texel, texel + texture_columns), (1 - down, down), 4, 0)
        red *= r0 + (r1 - r0) * right
        green *= g0 + (g1 - g0) * right
        blue *= b0 + (b1 - b0) * right
        places = gather(corners, face, CORNERS, 0), gather(corners, face, CORNERS, 1), gather(corners, face, CORNERS, 2)
        nx, ny, nz, vz, half0, half1, half2, exposure = mixed_rows(vertices, places, shares, VERTEX, 0)
        vx, vy = (lens[2] - px) * (vz / lens[0]), (py - lens[3]) * (vz / lens[1])
        r, g, b = _lit(
            nx, ny, nz, vx, vy, vz, (half0, half1, half2), red, green, blue, strength, exponent, translucency, lights
        )
        color = gather(TONE_TABLE, _tone_row(exposure * r), 1, 0)
        color |= gather(TONE_TABLE, _tone_row(exposure * g), 1, 0) << 8
        color |= gather(TONE_TABLE, _tone_row(exposure * b), 1, 0) << 16
        store_pixels(image, at, select(shown, color, load_pixels(image, at)))


@inlined
@no_type_check
def _lit(nx, ny, nz, vx, vy, vz, halves, red, green, blue, strength, exponent, translucency, lights):
    """Scene light of points, before exposure.

    Args:
        nx: normal, of any length.
        ny: see there.
        nz: see there.
        vx: unit vector towards the viewer.
        vy: see there.
        vz: see there.
        halves: inverse lengths of the half vectors of the lights.
        red: linear color.
        green: see there.
        blue: see there.
        strength: of the highlights.
        exponent: of the highlights.
        translucency: in [0, 1].
        lights: see `Studio.table`.
    """
    scale = 1 / root(nx * nx + ny * ny + nz * nz + _TINY)
    nx, ny, nz = nx * scale, ny * scale, nz * scale
    towards_viewer = nx * vx + ny * vy + nz * vz
    facing = (
        nx * lights[0, 0] + ny * lights[0, 1] + nz * lights[0, 2],
        nx * lights[1, 0] + ny * lights[1, 1] + nz * lights[1, 2],
        nx * lights[2, 0] + ny * lights[2, 1] + nz * lights[2, 2],
    )
    shine_r, shine_g, shine_b = floats(0), floats(0), floats(0)
    for k in range(3):
        across = (facing[k] + towards_viewer) * halves[k]
        # cos^n written as (1 - n (1 - cos) / 64)^64: the same lobe without a call to pow.
        lobe = greatest(1 - exponent * (1 - across) * np.float32(1 / 64), 0)
        for _ in range(6):
            lobe *= lobe
        # No highlights on the unlit side of the terminator.
        lobe *= lights[k, 7] * least(greatest(8 * facing[k], 0), 1)
        shine_r += lobe * lights[k, 3]
        shine_g += lobe * lights[k, 4]
        shine_b += lobe * lights[k, 5]
    grazing = 1 - least(greatest(towards_viewer, 0), 1)
    grazing *= grazing
    gloss = strength * (1 + 2 * grazing * grazing)
    up = 0.5 * ny + 0.5
    return (
        red * _diffuse(facing, up, translucency * _BLEED_R, lights, 3) + gloss * shine_r,
        green * _diffuse(facing, up, translucency * _BLEED_G, lights, 4) + gloss * shine_g,
        blue * _diffuse(facing, up, translucency * _BLEED_B, lights, 5) + gloss * shine_b,
    )


@inlined
@no_type_check
def _diffuse(facing, up, bleed, lights, channel):
    """Diffuse light of one channel: of the surroundings, and of lights whose terminator lies beyond a right angle."""
    wrap0, wrap1, wrap2 = bleed + lights[0, 6], bleed + lights[1, 6], bleed + lights[2, 6]
    edge0, edge1, edge2 = 1 + wrap0, 1 + wrap1, 1 + wrap2
    # One division for the three of (n l + wrap) / (1 + wrap)^2.
    first = edge1 * edge2
    inverse = 1 / (edge0 * first)
    share0, share1, share2 = inverse * first, inverse * edge0 * edge2, inverse * edge0 * edge1
    light = lights[4, channel] + (lights[3, channel] - lights[4, channel]) * up
    light += lights[0, channel] * greatest(facing[0] + wrap0, 0) * share0 * share0
    light += lights[1, channel] * greatest(facing[1] + wrap1, 0) * share1 * share1
    light += lights[2, channel] * greatest(facing[2] + wrap2, 0) * share2 * share2
    return light


@inlined
@no_type_check
def _tone_row(value):
    """Row of the tone table for scene light."""
    return (bit_patterns(least(greatest(value, 0), BRIGHTEST) + TONE_OFFSET) - _DARKEST) >> TONE_SHIFT
