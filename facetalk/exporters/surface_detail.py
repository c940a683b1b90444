"""Fine structure of surfaces that the mesh is too coarse for: pores, strands of hair, furrows of lips; and gloss.

Everything is a function of the place on the head or of its texture, so that it continues across the seams of a layout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, map_coordinates

from facetalk.exporters.baking import Texels
from facetalk.head.assets import HeadAssets

_ROUGHNESS = {"skin": 0.52, "eyes": 0.07, "teeth": 0.28, "tongue": 0.42}
_LIPS_ROUGHNESS, _HAIR_ROUGHNESS, _MOUTH_ROUGHNESS = 0.36, 0.62, 0.75
"""Of lips, hair, and the inside of the mouth, which no light reaches that could be reflected."""
_RELIEF_MM = {"skin": ((0.8, 0.018), (2.6, 0.035)), "tongue": ((0.7, 0.05), (1.6, 0.08))}
"""Size of the cells and depth of each octave of noise, millimeters."""
_FURROW_MM, _STRAND_MM = 0.07, 0.12
"""Depth of the lips' furrows and of the strands of hair."""
_CELLS = 32
"""Side of the volume of noise, cells; it repeats beyond."""


@dataclass(frozen=True, eq=False)
class Detail:
    """Fine structure at the texels of a part."""

    roughness: Float[np.ndarray, " texels"]
    """Perceptual roughness in [0, 1]."""
    height_mm: Float[np.ndarray, " texels"] | None
    """Elevation above the mesh; None where it is smooth."""


def detail_of(assets: HeadAssets, name: str, members: np.ndarray, texels: Texels) -> Detail:
    """Roughness and elevation of one part.

    Args:
        assets: the head.
        name: of the part.
        members: faces of the part.
        texels: of its texture.
    """
    faces = assets.shape.faces.numpy()[members]
    place_mm = texels.interpolate(1000 * assets.shape.template.numpy()[faces])
    octaves = [depth * _noise(place_mm / cell, seed) for seed, (cell, depth) in enumerate(_RELIEF_MM.get(name, ()))]
    roughness = np.full(len(place_mm), _ROUGHNESS[name])
    if not octaves:
        return Detail(roughness, None)
    height_mm = sum(octaves)
    if name != "skin":
        return Detail(roughness, height_mm)
    lips, hair, strands = _painted(assets, members, texels)
    inside = _share(assets, "mouth_lining", faces, texels)
    roughness = roughness + 0.6 * octaves[0] / _RELIEF_MM["skin"][0][1] * 0.06
    for share, value in ((lips, _LIPS_ROUGHNESS), (hair, _HAIR_ROUGHNESS), (inside, _MOUTH_ROUGHNESS)):
        roughness = roughness + share * (value - roughness)
    furrows = _noise(place_mm * [1.1, 0.12, 0.12], 7)
    height_mm = height_mm * (1 - hair) * (1 - 0.7 * lips) + _FURROW_MM * lips * furrows + _STRAND_MM * hair * strands
    return Detail(roughness, height_mm)


def _painted(assets: HeadAssets, members: np.ndarray, texels: Texels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of lips and hair, and the fine light and dark of the texture with unit variance in the hair."""
    look, faces = assets.appearance, assets.shape.faces.numpy()[members]
    if look.texture is None or look.texture_layers is None:
        return _share(assets, "lips", faces, texels), np.zeros(len(texels.rows)), np.zeros(len(texels.rows))
    height, width = look.texture.shape[:2]
    at = texels.interpolate(look.uv_coords.numpy()[look.uv_faces.numpy()[members]]) * [width, height]
    where = [height - at[:, 1] - 0.5, at[:, 0] - 0.5]
    layers = look.texture_layers.astype(np.float32) / 255
    light = look.texture.astype(np.float32).mean(2)
    fine = light - gaussian_filter(light, 3.0)
    fine /= fine[layers[..., 2] > 0.5].std() if (layers[..., 2] > 0.5).any() else 1.0
    lips, hair, strands = (
        map_coordinates(field, where, order=1, mode="nearest") for field in (layers[..., 1], layers[..., 2], fine)
    )
    return lips * (1 - _share(assets, "mouth_lining", faces, texels)), hair, strands.clip(-2, 2)


def _share(assets: HeadAssets, region: str, faces: np.ndarray, texels: Texels) -> Float[np.ndarray, " texels"]:
    """1 inside a region, 0 outside, 0 everywhere where the head lacks it."""
    member = np.zeros((len(assets.shape.template), 1))
    if region in assets.points.regions:
        member[assets.points.regions[region].numpy()] = 1
    return texels.interpolate(member[faces])[:, 0]


def _noise(places: Float[np.ndarray, "texels 3"], seed: int) -> Float[np.ndarray, " texels"]:
    """Smooth noise of unit variance in space, with cells of unit size."""
    lattice = np.random.default_rng(seed).standard_normal((_CELLS,) * 3).astype(np.float32)
    values = map_coordinates(lattice, places.T, order=1, mode="grid-wrap", output=np.float32)
    return values / max(float(values.std()), 1e-6)
