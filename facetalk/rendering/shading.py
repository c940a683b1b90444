"""Color of points on the surface: interpolation, texture, light.

Diffuse light is Lambert's, wrapped around the terminator and further for red where the surface is translucent, as
light does that travels under skin; highlights are Blinn-Phong with a little more at grazing angles.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float

from facetalk.rendering.color import BRIGHTEST, TONE_OFFSET, TONE_SHIFT, TONE_TABLE
from facetalk.rendering.kernels import inlined, kernel
from facetalk.rendering.lane_access import load, mixed_rows, prefetch, rows, store
from facetalk.rendering.lanes import LANES, STEPS, bit_patterns, bits, floats, greatest, least, root, select, truncated
from facetalk.rendering.rasterizer import PLANES

AIMED = LANES
"""Columns of the table of vertices that `aim` fills, and exposure."""

LOOK = LANES
"""Further columns: texel column and row, linear color, strength and exponent of highlights, translucency. At the seams
of a texture, vertices have several rows."""

VERTEX = AIMED + LOOK

TEXEL_WHITE = 65535
"""Linear light of 1 in a texture. In floats, a texture would be too large for the processor's cache."""

_BATCH = 16 * LANES
"""Points that pass through one step of the work before the next one begins. The steps are so short that the processor
works on several vectors at once, and what they hand on stays in its fastest cache."""

BLEED = (0.42, 0.16, 0.10)
"""How far red, green and blue light travels under translucent skin, as a wrap of the diffuse term."""

_BLEED_R, _BLEED_G, _BLEED_B = (np.float32(value) for value in BLEED)
_SKIN = np.float32(0.99999)
"""Translucency of skin, less what interpolation rounds."""

_TINY = np.float32(1e-12)
_DARKEST = int(np.float32(TONE_OFFSET).view(np.int32))


def light_on_skin(lights: Float[np.ndarray, "5 8"]) -> Float[np.ndarray, "3 6"]:
    """What is the same wherever the translucency is 1, which is nearly everywhere.

    Args:
        lights: see `Studio.table`.

    Returns:
        For each light the wrap of red, green and blue, and their light divided by (1 + wrap)^2.
    """
    wrap = lights[:3, 6:7] + np.array(BLEED, np.float32)
    return np.concatenate([wrap, lights[:3, 3:6] / (1 + wrap) ** 2], 1)


@kernel
@no_type_check
def aim(seen, normals, source, lights, vertices):
    """Fill the table of vertices: normal, cosine to the camera's axis, inverse lengths of the half vectors.

    What depends on the direction of view alone changes slowly and is interpolated between vertices.

    Args:
        seen: (V, 3) float32 in the camera's frame.
        normals: (V, 3) float32.
        source: (rows,) the vertex of each row.
        lights: see `Studio.table`.
        vertices: (rows, VERTEX) float32, filled up to the column before exposure.
    """
    for row in range(len(source)):
        i = source[row]
        x, y, z = seen[i, 0], seen[i, 1], seen[i, 2]
        scale = np.float32(-1) / np.sqrt(x * x + y * y + z * z + _TINY)
        x, y, z = scale * x, scale * y, scale * z
        vertices[row, 0], vertices[row, 1], vertices[row, 2] = normals[i, 0], normals[i, 1], normals[i, 2]
        vertices[row, 3] = z
        for k in range(3):
            # The sum of two unit vectors has the squared length 2 + 2 cos.
            cosine = lights[k, 0] * x + lights[k, 1] * y + lights[k, 2] * z
            vertices[row, 4 + k] = np.float32(1) / np.sqrt(np.float32(2.000002) + np.float32(2) * cosine)


@kernel
@no_type_check
def shade(triangle, x, y, first_y, planes, vertices, texture, texture_rows, texture_columns, lens, lights, skin, image):
    """Color a grid of points; those without a triangle keep their colors in the image.

    Args:
        triangle: (rows columns + LANES,) int32 collected triangle at each point, or -1.
        x: (columns + LANES,) float32 place of the columns in the image, pixels.
        y: (columns + LANES,) float32.
        first_y: (rows,) float32, to be added to `y`.
        planes: (triangles PLANES,) float32, see `rasterizer.set_up`.
        vertices: (rows VERTEX,) float32: what `aim` fills, exposure, and see `LOOK`.
        texture: (4 texels,) uint16, multiplied with the color, see `TEXEL_WHITE`.
        texture_rows: of the texture, of which the last one repeats the one before.
        texture_columns: likewise.
        lens: (4,) float32 fx, fy, cx, cy in pixels.
        lights: see `Studio.table`.
        skin: see `light_on_skin`.
        image: (3 (rows columns + LANES),) uint8 sRGB.
    """
    columns = len(x) - LANES
    steps = load(STEPS, 0)
    targets, plane = np.empty(_BATCH, np.int32), np.empty(_BATCH, np.int32)
    points = np.empty(_BATCH, np.float32), np.empty(_BATCH, np.float32)
    corners = np.empty(_BATCH, np.int32), np.empty(_BATCH, np.int32), np.empty(_BATCH, np.int32)
    shares = np.empty(_BATCH, np.float32), np.empty(_BATCH, np.float32), np.empty(_BATCH, np.float32)
    color = np.empty(_BATCH, np.float32), np.empty(_BATCH, np.float32), np.empty(_BATCH, np.float32)
    gloss = np.empty(_BATCH, np.float32), np.empty(_BATCH, np.float32), np.empty(_BATCH, np.float32)
    tones = np.empty(_BATCH, np.int32), np.empty(_BATCH, np.int32), np.empty(_BATCH, np.int32)
    count = 0
    for line in range(len(first_y)):
        for start in range(0, columns, LANES):
            at = line * columns + start
            number = load(triangle, at)
            shown = (number >= 0) & (steps < columns - start)
            if bits(shown) != 0:
                store(targets, count, select(shown, 3 * (steps + at), -1))
                store(plane, count, greatest(number, 0) * PLANES)
                store(points[0], count, load(x, start))
                store(points[1], count, load(y, start) + first_y[line])
                count += LANES
            if count == _BATCH or (count and line == len(first_y) - 1 and start + LANES >= columns):
                _weigh(count, planes, plane, points, corners, shares)
                _look_up(count, vertices, corners, shares, texture, texture_rows, texture_columns, color, gloss)
                _light(count, vertices, corners, shares, points, color, gloss, lens, lights, skin, tones)
                for i in range(count):
                    if targets[i] >= 0:
                        for c in range(3):
                            image[targets[i] + c] = TONE_TABLE[tones[c][i]]
                count = 0


@kernel
@no_type_check
def _weigh(count, planes, plane, points, corners, shares):
    """Find the corners of each point's triangle, and their shares in it."""
    for at in range(0, count, LANES):
        a0, b0, c0, a1, b1, c1, a2, b2 = rows(planes, plane, at, 0)
        c2, left, top, first, second, third, _, _ = rows(planes, plane, at, LANES)
        dx, dy = load(points[0], at) - left, load(points[1], at) - top
        l0, l1, l2 = a0 * dx + b0 * dy + c0, a1 * dx + b1 * dy + c1, a2 * dx + b2 * dy + c2
        depth = 1 / (l0 + l1 + l2)
        store(shares[0], at, l0 * depth)
        store(shares[1], at, l1 * depth)
        store(shares[2], at, l2 * depth)
        store(corners[0], at, bit_patterns(first))
        store(corners[1], at, bit_patterns(second))
        store(corners[2], at, bit_patterns(third))


@kernel
@no_type_check
def _look_up(count, vertices, corners, shares, texture, texture_rows, texture_columns, color, gloss):
    """Interpolate color and gloss, and multiply the color with the texture's."""
    texels = np.empty(_BATCH, np.int32), np.empty(_BATCH, np.int32)
    parts = np.empty(_BATCH, np.float32), np.empty(_BATCH, np.float32)
    rights = np.empty(_BATCH, np.float32)
    for at in range(0, count, LANES):
        u, v, red, green, blue, strength, exponent, translucency = mixed_rows(vertices, corners, shares, at, AIMED)
        u, v = least(greatest(u, 0), texture_columns - 2), least(greatest(v, 0), texture_rows - 2)
        column, row = truncated(u), truncated(v)
        down, texel = v - floats(row), 4 * (row * texture_columns + column)
        store(rights, at, u - floats(column))
        store(parts[0], at, 1 - down)
        store(parts[1], at, down)
        store(texels[0], at, texel)
        store(texels[1], at, texel + 4 * texture_columns)
        prefetch(texture, texels[0], at)
        prefetch(texture, texels[1], at)
        store(color[0], at, red)
        store(color[1], at, green)
        store(color[2], at, blue)
        store(gloss[0], at, strength)
        store(gloss[1], at, exponent)
        store(gloss[2], at, translucency)
    for at in range(0, count, LANES):
        # A texel and the one to its right are read at once.
        r0, g0, b0, _, r1, g1, b1, _ = mixed_rows(texture, texels, parts, at, 0)
        right = load(rights, at)
        store(color[0], at, load(color[0], at) * (r0 + (r1 - r0) * right))
        store(color[1], at, load(color[1], at) * (g0 + (g1 - g0) * right))
        store(color[2], at, load(color[2], at) * (b0 + (b1 - b0) * right))


@kernel
@no_type_check
def _light(count, vertices, corners, shares, points, color, gloss, lens, lights, skin, tones):
    """Find the row of the tone table for each channel of each point."""
    across, along = 1 / lens[0], 1 / lens[1]
    for at in range(0, count, LANES):
        nx, ny, nz, vz, half0, half1, half2, exposure = mixed_rows(vertices, corners, shares, at, 0)
        scale = 1 / root(nx * nx + ny * ny + nz * nz + _TINY)
        nx, ny, nz = nx * scale, ny * scale, nz * scale
        vx, vy = (lens[2] - load(points[0], at)) * across * vz, (load(points[1], at) - lens[3]) * along * vz
        towards_viewer = nx * vx + ny * vy + nz * vz
        facing = _facing(nx, ny, nz, lights, 0), _facing(nx, ny, nz, lights, 1), _facing(nx, ny, nz, lights, 2)
        shine = _shine(facing, towards_viewer, (half0, half1, half2), load(gloss[1], at), lights)
        grazing = 1 - least(greatest(towards_viewer, 0), 1)
        grazing *= grazing
        strength = load(gloss[0], at) * (1 + 2 * grazing * grazing)
        translucency, up = load(gloss[2], at), 0.5 * ny + 0.5
        if bits(translucency < _SKIN) == 0:
            red, green, blue = (
                _diffuse_on_skin(facing, up, lights, skin, 0),
                _diffuse_on_skin(facing, up, lights, skin, 1),
                _diffuse_on_skin(facing, up, lights, skin, 2),
            )
        else:
            red, green, blue = (
                _diffuse(facing, up, translucency * _BLEED_R, lights, 3),
                _diffuse(facing, up, translucency * _BLEED_G, lights, 4),
                _diffuse(facing, up, translucency * _BLEED_B, lights, 5),
            )
        store(tones[0], at, _tone_row(exposure * (load(color[0], at) * red + strength * shine[0])))
        store(tones[1], at, _tone_row(exposure * (load(color[1], at) * green + strength * shine[1])))
        store(tones[2], at, _tone_row(exposure * (load(color[2], at) * blue + strength * shine[2])))


@inlined
@no_type_check
def _facing(nx, ny, nz, lights, k):
    """Cosine between normal and light."""
    return nx * lights[k, 0] + ny * lights[k, 1] + nz * lights[k, 2]


@inlined
@no_type_check
def _shine(facing, towards_viewer, halves, exponent, lights):
    """Highlights of the three lights."""
    red, green, blue = floats(0), floats(0), floats(0)
    slope = exponent * np.float32(1 / 64)
    for k in range(3):
        # cos^n written as (1 - n (1 - cos) / 64)^64: the same lobe without a call to pow.
        lobe = greatest(1 - slope * (1 - (facing[k] + towards_viewer) * halves[k]), 0)
        for _ in range(6):
            lobe *= lobe
        # No highlights on the unlit side of the terminator.
        lobe *= lights[k, 7] * least(greatest(8 * facing[k], 0), 1)
        red += lobe * lights[k, 3]
        green += lobe * lights[k, 4]
        blue += lobe * lights[k, 5]
    return red, green, blue


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
def _diffuse_on_skin(facing, up, lights, skin, channel):
    """`_diffuse` where the translucency is 1."""
    light = lights[4, 3 + channel] + (lights[3, 3 + channel] - lights[4, 3 + channel]) * up
    light += skin[0, 3 + channel] * greatest(facing[0] + skin[0, channel], 0)
    light += skin[1, 3 + channel] * greatest(facing[1] + skin[1, channel], 0)
    light += skin[2, 3 + channel] * greatest(facing[2] + skin[2, channel], 0)
    return light


@inlined
@no_type_check
def _tone_row(value):
    """Row of the tone table for scene light."""
    return (bit_patterns(least(greatest(value, 0), BRIGHTEST) + TONE_OFFSET) - _DARKEST) >> TONE_SHIFT
