"""A head as a surface that renderers draw."""

from __future__ import annotations

from facetalk.head.assets import HeadAssets
from facetalk.head.translucency import mouth_exposure, translucency
from facetalk.rendering.surface import Surface


def head_surface(assets: HeadAssets) -> Surface:
    """Return a head's colors, gloss and texture, and how light behaves on skin, eyes and inside the mouth."""
    look = assets.appearance
    return Surface(
        faces=assets.shape.faces.numpy(),
        colors=look.colors.numpy(),
        gloss=look.gloss.numpy(),
        uv_coords=look.uv_coords.numpy(),
        uv_faces=look.uv_faces.numpy(),
        texture=look.texture,
        translucency=translucency(assets),
        exposure=mouth_exposure(assets),
    )
