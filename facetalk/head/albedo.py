"""Vertex colors of a head, for renderers without textures."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from facetalk.head.assets import HeadAssets
from facetalk.head.translucency import mouth_exposure

_TEXELS = 256
"""Side to which a texture is downsampled before it is read at the vertices, texels."""


def vertex_albedo(assets: HeadAssets) -> Float[Tensor, "vertices 3"]:
    """sRGB color of each vertex under white light: vertex color times texture times the mouth's exposure."""
    albedo = assets.appearance.colors.clone().float()
    if assets.appearance.texture is not None:
        # Downsampled, because detail between two vertices would otherwise appear at one of them or not at all.
        coarse = Image.fromarray(assets.appearance.texture).resize((_TEXELS, _TEXELS), Image.Resampling.BOX)
        texture = torch.from_numpy(np.asarray(coarse, np.float32) / 255)
        column = (assets.appearance.uv_coords[:, 0] * _TEXELS - 0.5).round().long().clamp(0, _TEXELS - 1)
        row = ((1 - assets.appearance.uv_coords[:, 1]) * _TEXELS - 0.5).round().long().clamp(0, _TEXELS - 1)
        # A vertex on a seam has several texture coordinates; any of them will do.
        place = torch.zeros(len(albedo), dtype=torch.long)
        place[assets.shape.faces.flatten()] = assets.appearance.uv_faces.flatten()
        albedo = albedo * texture[row, column][place]
    return albedo * torch.from_numpy(mouth_exposure(assets))[:, None]
