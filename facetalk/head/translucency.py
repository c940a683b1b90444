"""Light on the parts of a head: subsurface scattering and exposure, from its regions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from facetalk.head.assets import HeadAssets

_TRANSLUCENCY = (("skin", 1.0), ("neck", 1.0), ("tongue", 0.8), ("upper_teeth", 0.2), ("lower_teeth", 0.2))


def translucency(assets: HeadAssets) -> Float[np.ndarray, " vertices"]:
    """Amount of subsurface scattering at each vertex, in [0, 1]."""
    amounts = np.zeros(len(assets.shape.template), np.float32)
    for name, amount in _TRANSLUCENCY:
        amounts[assets.points.regions[name].numpy()] = amount
    return amounts


def mouth_exposure(assets: HeadAssets) -> Float[np.ndarray, " vertices"]:
    """Share of the light that reaches each vertex; it decreases with depth inside the mouth."""
    exposure = np.ones(len(assets.shape.template), np.float32)
    inside = np.concatenate([assets.points.regions[name].numpy() for name in ("upper_teeth", "lower_teeth", "tongue")])
    if len(inside):  # some heads have no inside of the mouth
        depth = assets.shape.template[inside, 2].numpy()
        exposure[inside] = (0.85 * np.exp((depth - depth.max()) / 0.025)).clip(0.12)
    return exposure
