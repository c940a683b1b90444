"""The look of an avatar for our renderer: base colors, with all textures side by side in one."""

from __future__ import annotations

import logging
import math

import numpy as np
from jaxtyping import Float, Int, UInt8

from facetalk.io.gltf_materials import BaseColor, read_base_color, read_texture
from facetalk.motion.avatar_mesh import AvatarMesh, AvatarPart
from facetalk.rendering.color import linear_to_srgb
from facetalk.rendering.surface import Surface

_log = logging.getLogger(__name__)

_GLOSS = (0.12, 18.0)
"""Specular strength and exponent of all materials."""
_LARGEST_TILE, _ATLAS_SIDE = 1024, 2048
"""Pixels."""
_OPAQUE = 127
"""Opacity, of 255, from which a surface that is cut out is drawn."""


def avatar_surface(mesh: AvatarMesh) -> tuple[Surface, Int[np.ndarray, " drawn"]]:
    """The appearance of an avatar's vertices.

    Surfaces with two sides have their vertices twice, because the renderer draws front sides only. What a texture cuts
    out is drawn or left out triangle by triangle.

    Returns:
        The surface, and which vertex of the mesh each of its vertices repeats.
    """
    file = mesh.avatar.file
    looks = [read_base_color(file, part.material) for part in mesh.parts]
    used = [look.image for look, part in zip(looks, mesh.parts, strict=True) if part.uv_coords is not None]
    images = sorted({number for number in used if number is not None})
    columns = max(1, math.ceil(math.sqrt(len(images) + 1)))
    side = min(_LARGEST_TILE, _ATLAS_SIDE // columns)
    tiles = {number: read_texture(file, number, side) for number in images}
    if any(tile is None for tile in tiles.values()):
        _log.warning("%s: textures in KTX2 are not decoded; the video shows plain colors instead", file.path.name)
    slots = {number: slot for slot, number in enumerate([n for n in images if tiles[n] is not None], 1)}
    atlas = np.full((columns * side, columns * side, 3), 255, np.uint8)
    for number, slot in slots.items():
        row, column = divmod(slot, columns)
        tile = tiles[number]
        assert tile is not None
        atlas[row * side : (row + 1) * side, column * side : (column + 1) * side] = tile[..., :3]
    faces, uv, colors, rows, start = [], [], [], [], 0
    for part, look in zip(mesh.parts, looks, strict=True):
        tile = tiles.get(look.image) if look.image is not None else None
        slot = slots.get(look.image, 0) if look.image is not None and part.uv_coords is not None else 0
        coords, shown = _part_coords(part, look, tile if slot else None)
        row, column = divmod(slot, columns)
        inset = 0.5 / side
        placed = (np.array([column, row]) + coords[shown].clip(inset, 1 - inset)) / columns
        own = part.faces[shown]
        number = np.arange(part.num_vertices) + start
        for back in (False, True) if look.has_back else (False,):
            step = -1 if back else 1
            faces.append(own[:, ::step] + sum(map(len, rows)))
            uv.append(placed[:, ::step])
            rows.append(number)
            colors.append(np.tile(linear_to_srgb(np.array(look.factor[:3])), (len(number), 1)))
        start += part.num_vertices
    corners = np.concatenate(uv).reshape(-1, 2)
    surface = Surface(
        faces=np.concatenate(faces).astype(np.int32),
        colors=np.concatenate(colors),
        gloss=np.tile(np.array(_GLOSS), (sum(map(len, rows)), 1)),
        uv_coords=np.stack([corners[:, 0], 1 - corners[:, 1]], 1),
        uv_faces=np.arange(len(corners)).reshape(-1, 3),
        texture=atlas,
    )
    return surface, np.concatenate(rows)


def _part_coords(
    part: AvatarPart, look: BaseColor, tile: UInt8[np.ndarray, "side side 4"] | None
) -> tuple[Float[np.ndarray, "faces 3 2"], np.ndarray]:
    """Texture coordinates of each triangle's corners in [0, 1], and which triangles are drawn."""
    everything = np.ones(len(part.faces), bool)
    if look.cuts_out and look.factor[3] < 0.5:
        everything[:] = False
    if part.uv_coords is None or tile is None:
        return np.full((len(part.faces), 3, 2), 0.5), everything
    coords = part.uv_coords.astype(np.float64)
    coords = coords - np.floor(coords.mean(1, keepdims=True))  # a texture repeats
    if look.cuts_out:
        spots = np.concatenate([coords, coords.mean(1, keepdims=True)], 1) % 1.0
        places = np.minimum((spots * len(tile)).astype(int), len(tile) - 1)
        opacity = tile[places[..., 1], places[..., 0], 3].mean(1)
        everything &= opacity * look.factor[3] > _OPAQUE
    return coords, everything
