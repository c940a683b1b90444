"""Fine structure of surfaces that the mesh is too coarse for: pores, strands of hair, furrows of lips; and gloss.

Everything is a function of the place on the head or of its texture, so that it continues across the seams of a layout.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, map_coordinates

from facetalk.head.assets import HeadAppearance

ROUGHNESS = {"skin": 0.52, "eyes": 0.07, "teeth": 0.28, "tongue": 0.42}
"""Perceptual roughness of each part."""
_LIPS, _HAIR, _HOLLOW = 0.36, 0.62, 0.8
"""Roughness of lips, hair, and hollows such as the mouth, which no light reaches that could be reflected."""
_UNEVEN = 0.035
"""Standard deviation of the skin's roughness."""
_USUAL_GLOSS, _MATTE = 0.10, 0.25
"""Specular strength of light skin, and how much rougher skin without any is."""
_OCTAVES = {"skin": ((0.8, 0.018), (2.6, 0.02)), "tongue": ((0.7, 0.03), (1.6, 0.05))}
"""Size of the cells and depth of each octave of noise, millimeters."""
_FURROWS_MM, _STRANDS_MM = 0.07, 0.12
"""Depth of the lips' furrows and of the strands of hair."""
_FURROWS_PER_MM = (1.1, 0.12, 0.12)
"""Furrows run up and down: they change across the face."""
_CELLS = 32
"""Side of the volume of noise, cells; it repeats beyond."""
_TRILINEAR_STD = (2 / 3) ** 1.5
"""Mean standard deviation of unit noise that is interpolated between the corners of its cells."""


def has_relief(part: str) -> bool:
    """Whether a part has fine structure."""
    return part in _OCTAVES


def relief_mm(
    part: str,
    place_mm: Float[np.ndarray, "texels 3"],
    lips: Float[np.ndarray, " texels"],
    hair: Float[np.ndarray, " texels"],
    strands: Float[np.ndarray, " texels"],
    texel_mm: Float[np.ndarray, " texels"],
) -> Float[np.ndarray, " texels"]:
    """Elevation above the mesh.

    Args:
        part: name of a part with relief.
        place_mm: place on the head at rest.
        lips: share of lips.
        hair: share of hair.
        strands: light and dark of the hair, unit variance.
        texel_mm: longer side of the texel; what is hardly larger would turn into streaks and fades out.
    """
    octaves = enumerate(_OCTAVES[part])
    skin = sum(depth * _fade(cell, texel_mm) * noise(place_mm / cell, seed) for seed, (cell, depth) in octaves)
    furrows = noise(place_mm * _FURROWS_PER_MM, 7) if lips.any() else 0.0
    return skin * (1 - hair) * (1 - 0.7 * lips) + _FURROWS_MM * lips * furrows + _STRANDS_MM * hair * strands


def skin_roughness(
    place_mm: Float[np.ndarray, "texels 3"],
    lips: Float[np.ndarray, " texels"],
    hair: Float[np.ndarray, " texels"],
    inside: Float[np.ndarray, " texels"],
    hollow: Float[np.ndarray, " texels"],
    gloss: float,
    texel_mm: Float[np.ndarray, " texels"],
) -> Float[np.ndarray, " texels"]:
    """Roughness of the skin and of what grows on it or continues it.

    Args:
        place_mm: place on the head at rest.
        lips: share of lips.
        hair: share of hair.
        inside: share of the mouth's lining.
        hollow: how deep in a hollow such as a nostril, from 0 to 1.
        gloss: specular strength of the skin; on dark skin the same highlight would be more visible.
        texel_mm: longer side of the texel.
    """
    cell, _ = _OCTAVES["skin"][0]
    matte = _MATTE * float(np.clip(1 - gloss / _USUAL_GLOSS, 0, 1))
    roughness = ROUGHNESS["skin"] + matte + _UNEVEN * _fade(cell, texel_mm) * noise(place_mm / cell, 0)
    for share, value in ((lips, _LIPS), (hair, _HAIR), (np.maximum(inside, hollow), _HOLLOW)):
        roughness += share * (value - roughness)
    return roughness


def _fade(cell_mm: float, texel_mm: Float[np.ndarray, " texels"]) -> Float[np.ndarray, " texels"]:
    return (cell_mm / (2 * texel_mm) - 0.5).clip(0, 1)


def hair_strands(look: HeadAppearance) -> Float[np.ndarray, "height width"]:
    """Fine light and dark of the texture, with unit variance where there is hair; it stands for elevation."""
    assert look.texture is not None and look.texture_layers is not None
    light, hair = look.texture.astype(np.float32).mean(2), look.texture_layers[..., 2] > 127
    fine = light - gaussian_filter(light, 3.0)
    return (fine / max(float(fine[hair].std()) if hair.any() else 0.0, 1.0)).clip(-2, 2)


def noise(places: Float[np.ndarray, "texels 3"], seed: int) -> Float[np.ndarray, " texels"]:
    """Smooth noise of unit variance in space, with cells of unit size."""
    lattice = np.random.default_rng(seed).standard_normal((_CELLS,) * 3).astype(np.float32)
    lattice /= np.float32(_TRILINEAR_STD)
    return map_coordinates(lattice, places.T, order=1, mode="grid-wrap", output=np.float32)
