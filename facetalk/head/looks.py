"""Skin, eye and hair colors by name, and recoloring a head.

A texture is a mixture of skin, lips and hair with known shares (`HeadAppearance.texture_layers`). The texture divided
by the mixture of the old tones is its detail (blush, pores, strands); the mixture of the new tones times that detail is
the new texture, also where hair partly covers skin.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from facetalk.core.errors import UsageError
from facetalk.head.assets import HeadAssets

Tone = tuple[float, float, float]


class Complexion(NamedTuple):
    """Tones of one skin, sRGB."""

    skin: Tone
    lips: Tone
    contrast: float
    """Share of the light skin's blush and mottling that shows through the melanin."""
    gloss: float
    """Highlight relative to light skin; on dark skin the same highlight is more visible."""


SKINS = {
    "porcelain": Complexion((0.925, 0.785, 0.715), (0.790, 0.485, 0.465), 1.0, 1.0),
    "light": Complexion((0.875, 0.700, 0.605), (0.735, 0.420, 0.395), 1.0, 1.0),
    "olive": Complexion((0.790, 0.620, 0.500), (0.665, 0.395, 0.355), 0.95, 1.0),
    "tan": Complexion((0.700, 0.510, 0.390), (0.590, 0.345, 0.305), 0.9, 0.95),
    "brown": Complexion((0.560, 0.385, 0.285), (0.480, 0.280, 0.250), 0.85, 0.8),
    "dark": Complexion((0.425, 0.285, 0.212), (0.375, 0.222, 0.205), 0.8, 0.65),
    "deep": Complexion((0.315, 0.208, 0.158), (0.285, 0.172, 0.162), 0.75, 0.5),
}
"""From light to deep. Melanin absorbs blue before green before red, with diminishing effect."""

EYES: dict[str, Tone] = {
    "brown": (0.47, 0.31, 0.17),
    "dark-brown": (0.25, 0.150, 0.090),
    "hazel": (0.48, 0.37, 0.19),
    "green": (0.36, 0.42, 0.26),
    "blue": (0.36, 0.50, 0.63),
    "gray": (0.44, 0.455, 0.45),
}

HAIRS: dict[str, Tone] = {
    "black": (0.085, 0.072, 0.066),
    "dark-brown": (0.190, 0.135, 0.105),
    "brown": (0.300, 0.205, 0.145),
    "auburn": (0.360, 0.185, 0.115),
    "blond": (0.540, 0.435, 0.310),
    "gray": (0.500, 0.490, 0.480),
    "white": (0.780, 0.770, 0.750),
}

PAINTED = {"skin": "light", "eyes": "brown", "hair": "dark-brown"}
"""Look of the bundled head's texture."""

_DETAIL = (0.45, 1.7)
"""Bounds of the detail; values beyond come from rounding in nearly black texels."""


@dataclass(frozen=True)
class Look:
    """Colors of a head by name; None keeps the current color.

    Raises:
        UsageError: a name is unknown.
    """

    skin: str | None = None
    eyes: str | None = None
    hair: str | None = None

    def __post_init__(self) -> None:
        _known("skin tone", self.skin, SKINS)
        _known("eye color", self.eyes, EYES)
        _known("hair color", self.hair, HAIRS)


def _known(what: str, name: str | None, table: Iterable[str]) -> None:
    if name is not None and name not in table:
        raise UsageError(f"unknown {what} {name!r}; known: {', '.join(table)}")


def with_look(assets: HeadAssets, look: Look) -> HeadAssets:
    """Return the head in other colors.

    Args:
        assets: a head with texture layers and an `irises` region, such as the bundled one.
        look: the wanted colors.

    Raises:
        UsageError: the head's colors are fixed.
    """
    if look == Look():
        return assets
    if (
        assets.appearance.texture is None
        or assets.appearance.texture_layers is None
        or "irises" not in assets.points.regions
    ):
        raise UsageError(f"the head {assets.name!r} has fixed colors; skin, eyes and hair can be chosen for facetalk")
    old = PAINTED | dict(assets.meta.get("look", {}))
    new = old | {key: value for key, value in dataclasses.asdict(look).items() if value is not None}
    return dataclasses.replace(
        assets,
        appearance=dataclasses.replace(
            assets.appearance,
            texture=_repainted(assets.appearance.texture, assets.appearance.texture_layers, old, new),
            colors=_recolored(assets, old, new),
            gloss=_glossed(assets, old, new),
        ),
        meta=dict(assets.meta) | {"look": new},
    )


def _tones(look: dict[str, str]) -> np.ndarray:
    """Tones of the layers skin, lips and hair, sRGB."""
    complexion = SKINS[look["skin"]]
    return np.array([complexion.skin, complexion.lips, HAIRS[look["hair"]]], np.float32)


def _repainted(texture: np.ndarray, layers: np.ndarray, old: dict[str, str], new: dict[str, str]) -> np.ndarray:
    """Return the texture in the tones of a new look."""
    share = layers.astype(np.float32) / 255
    # Texels outside all layers, such as lashes and plain patches, keep their color.
    rest = 1 - share.sum(-1, keepdims=True).clip(0, 1)
    image = texture.astype(np.float32) / 255
    before, after = share @ _tones(old) + rest * image, share @ _tones(new) + rest * image
    detail = (image / np.maximum(before, 1e-3)).clip(*_DETAIL)
    contrast = SKINS[new["skin"]].contrast / SKINS[old["skin"]].contrast
    power = 1 + share[..., :1] * (contrast - 1)
    return ((after * detail**power).clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _recolored(assets: HeadAssets, old: dict[str, str], new: dict[str, str]) -> torch.Tensor:
    """Return vertex colors with recolored irises; the inside of the mouth does not darken with the lips."""
    colors = assets.appearance.colors.clone()
    iris = assets.points.regions["irises"]
    colors[iris] *= torch.tensor(EYES[new["eyes"]]) / torch.tensor(EYES[old["eyes"]])
    lining = assets.points.regions["mouth_lining"]
    colors[lining] *= torch.tensor(SKINS[old["skin"]].lips) / torch.tensor(SKINS[new["skin"]].lips)
    return colors.clamp(0, 1)


def _glossed(assets: HeadAssets, old: dict[str, str], new: dict[str, str]) -> torch.Tensor:
    gloss = assets.appearance.gloss.clone()
    gloss[assets.points.regions["skin"], 0] *= SKINS[new["skin"]].gloss / SKINS[old["skin"]].gloss
    return gloss
