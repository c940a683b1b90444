"""Color, roughness and elevation at any place of a part of a head."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt8

from facetalk.exporters.baking import Texels
from facetalk.exporters.surface_detail import ROUGHNESS, hair_strands, has_relief, relief_mm, skin_roughness
from facetalk.head.assets import HeadAssets
from facetalk.head.translucency import mouth_exposure
from facetalk.rendering.color import BYTE_TO_LINEAR, LINEAR_TO_BYTE, TONE_STEPS, srgb_to_linear

_COLOR, _PLACE, _LIPS, _INSIDE, _HOLLOW, _AT = slice(0, 3), slice(3, 6), 6, 7, 8, slice(9, 11)
"""Columns of the table per vertex."""


class PaintedSurface:
    """One part of a head, with what its vertices and the head's texture say about each place."""

    def __init__(self, assets: HeadAssets, part: str, members: Int[np.ndarray, " members"]) -> None:
        self.part = part
        self.has_relief = has_relief(part)
        look, faces = assets.appearance, assets.shape.faces.numpy()[members]
        # Our renderer has no shadows, so its exposure darkens the mouth by all that they would. Some programs cast
        # shadows, some do not: the root of the exposure suits both.
        painted = srgb_to_linear(look.colors.numpy()) * np.sqrt(mouth_exposure(assets))[:, None]
        place_mm = 1000 * assets.shape.template.numpy()
        inside = _membership(assets, "mouth_lining")
        lips = _membership(assets, "lips") * (1 - inside)
        self._gloss = float(np.median(look.gloss.numpy()[np.unique(faces), 0]))
        # With a texture, the colors at the vertices are the skin's share of the light, which is small in hollows.
        shade = look.colors.numpy().mean(1, keepdims=True) if look.texture is not None else np.ones_like(lips)
        hollow = ((0.65 - shade) / 0.3).clip(0, 1)
        table = np.hstack([painted, place_mm, lips, inside, hollow])[faces]
        self._image: np.ndarray | None = None
        if look.texture is not None:
            rows, columns = look.texture.shape[:2]
            uv = look.uv_coords.numpy()[look.uv_faces.numpy()[members]]
            at = np.stack([uv[..., 0] * columns - 0.5, (1 - uv[..., 1]) * rows - 0.5], 2)
            table = np.concatenate([table, at], 2)
            layers = look.texture_layers if self.has_relief else None
            self._image = np.empty((rows, columns, 3 if layers is None else 6), np.float32)
            self._image[..., :3] = BYTE_TO_LINEAR[look.texture]
            if layers is not None:
                self._image[..., 3:5] = layers[..., 1:] / np.float32(255)
                self._image[..., 5] = hair_strands(look)
        self._table = table.astype(np.float32)

    def at(
        self, texels: Texels, texel_mm: Float[np.ndarray, " texels"]
    ) -> tuple[UInt8[np.ndarray, "texels 3"], UInt8[np.ndarray, " texels"], Float[np.ndarray, " texels"]]:
        """Color (sRGB), roughness times 255, and elevation above the mesh in millimeters.

        Args:
            texels: where.
            texel_mm: longer side of each texel on the mesh.
        """
        values = texels.interpolate(self._table)
        color, place_mm, lips, inside = values[:, _COLOR], values[:, _PLACE], values[:, _LIPS], values[:, _INSIDE]
        hair = strands = np.zeros(len(values), np.float32)
        if self._image is not None:
            seen = _bilinear(self._image, values[:, _AT])
            color = color * seen[:, :3]
            if seen.shape[1] > 3:
                lips, hair, strands = seen[:, 3] * (1 - inside), seen[:, 4], seen[:, 5]
        roughness = np.full(len(values), ROUGHNESS[self.part])
        if self.part == "skin":
            roughness = skin_roughness(place_mm, lips, hair, inside, values[:, _HOLLOW], self._gloss, texel_mm)
        elevation_mm = np.zeros(len(values), np.float32)
        if self.has_relief:
            elevation_mm = relief_mm(self.part, place_mm, lips, hair, strands, texel_mm).astype(np.float32)
        rooted = np.rint(np.sqrt(color.clip(0, 1)) * (TONE_STEPS - 1)).astype(np.int64)
        return LINEAR_TO_BYTE[rooted], np.rint(255 * roughness.clip(0, 1)).astype(np.uint8), elevation_mm


def _membership(assets: HeadAssets, region: str) -> Float[np.ndarray, "vertices 1"]:
    """1 in a region, 0 elsewhere; 0 everywhere where the head lacks it."""
    member = np.zeros((len(assets.shape.template), 1))
    if region in assets.points.regions:
        member[assets.points.regions[region].numpy()] = 1
    return member


def _bilinear(
    image: Float[np.ndarray, "rows columns channels"], at: Float[np.ndarray, "places 2"]
) -> Float[np.ndarray, "places channels"]:
    """Values between texels; the outermost ones continue beyond the edges.

    Args:
        image: values at whole numbers.
        at: column and row of each place.
    """
    limit = np.array(image.shape[1::-1], np.float32) - 1
    at = at.clip(0, limit)
    first = np.floor(at).astype(np.int32)
    last = np.minimum(first + 1, limit.astype(np.int32))
    right, down = ((at - first)[:, axis, None] for axis in (0, 1))
    upper = image[first[:, 1], first[:, 0]] * (1 - right) + image[first[:, 1], last[:, 0]] * right
    lower = image[last[:, 1], first[:, 0]] * (1 - right) + image[last[:, 1], last[:, 0]] * right
    return upper * (1 - down) + lower * down
