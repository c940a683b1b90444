"""Textures resized to the size at which they are displayed."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from PIL import Image

from facetalk.rendering.color import BYTE_TO_LINEAR
from facetalk.rendering.surface import Surface


def texel_places(uv_coords: Float[np.ndarray, "places 2"], rows: int, columns: int) -> Float[np.ndarray, "places 2"]:
    """Column and row in a texture of some size; whole numbers are the centers of texels."""
    return np.stack([uv_coords[:, 0] * columns - 0.5, (1 - uv_coords[:, 1]) * rows - 0.5], 1)


def fitting_texture(surface: Surface, pixels: Float[np.ndarray, "vertices 3"]) -> Float[np.ndarray, "rows columns 4"]:
    """The surface's texture in linear light, shrunk until a texel is about a pixel: a larger one would flicker.

    Args:
        surface: has a texture.
        pixels: homogeneous pixels (u w, v w, w) of a typical frame.

    Returns:
        Red, green, blue and an unused channel, with an extra row and column that repeat the last ones.
    """
    texture = surface.texture
    assert texture is not None and surface.uv_coords is not None and surface.uv_faces is not None
    linear = BYTE_TO_LINEAR[texture]
    texels = texel_places(surface.uv_coords, *texture.shape[:2])[surface.uv_faces]
    corners = pixels[surface.faces]
    if (corners[..., 2] <= 0).any():
        return _padded(linear)
    on_screen = corners[..., :2] / corners[..., 2:]
    areas = -_double_areas(on_screen)
    seen = areas > 0
    if not seen.any():
        return _padded(linear)
    # Texels per pixel along an edge, weighted by area.
    density = np.sqrt(np.abs(_double_areas(texels[seen])).sum() / areas[seen].sum())
    if density < 1.3:
        return _padded(linear)
    rows, columns = (max(1, round(length / density)) for length in texture.shape[:2])
    smaller = [
        np.asarray(Image.fromarray(linear[..., c]).resize((columns, rows), Image.Resampling.BOX)) for c in range(3)
    ]
    return _padded(np.stack(smaller, -1))


def _padded(linear: Float[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "rows+1 columns+1 4"]:
    """Four channels, for aligned reads; a border, so that each texel has a right and a lower neighbor."""
    rim = np.pad(linear, ((0, 1), (0, 1), (0, 0)), mode="edge")
    return np.ascontiguousarray(np.pad(rim, ((0, 0), (0, 0), (0, 1))), np.float32)


def _double_areas(triangles: Float[np.ndarray, "faces 3 2"]) -> Float[np.ndarray, " faces"]:
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
