"""The color of a head at its vertices, for renderers that know no texture."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from facetalk.head.assets import HeadAssets
from facetalk.head.translucency import mouth_exposure

_TEXELS = 256
"""Side to which a texture is brought before it is read at the vertices."""


def vertex_albedo(assets: HeadAssets) -> Float[Tensor, "vertices 3"]:
    """sRGB color of each vertex under white light: its color, the texture where it lies, and the mouth's darkness."""
    albedo = assets.appearance.colors.clone().float()
    if assets.appearance.texture is not None:
        # Coarse, because what lies between two vertices would otherwise show at one of them or not at all.
        coarse = Image.fromarray(assets.appearance.texture).resize((_TEXELS, _TEXELS), Image.Resampling.BOX)
        texture = torch.from_numpy(np.asarray(coarse, np.float32) / 255)
        column = (assets.appearance.uv_coords[:, 0] * _TEXELS - 0.5).round().long().clamp(0, _TEXELS - 1)
        row = ((1 - assets.appearance.uv_coords[:, 1]) * _TEXELS - 0.5).round().long().clamp(0, _TEXELS - 1)
        # A vertex on a seam has several places on the texture; any of them will do.
        place = torch.zeros(len(albedo), dtype=torch.long)
        place[assets.shape.faces.flatten()] = assets.appearance.uv_faces.flatten()
        albedo = albedo * texture[row, column][place]
    return albedo * torch.from_numpy(mouth_exposure(assets))[:, None]
