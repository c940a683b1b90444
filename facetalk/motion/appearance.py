"""How a head looks, for renderers."""

from __future__ import annotations

from facetalk.head.assets import HeadAssets
from facetalk.head.translucency import mouth_exposure, translucency
from facetalk.rendering.surface import Surface


def head_surface(assets: HeadAssets) -> Surface:
    """A head's colours, gloss and texture, and how light behaves on skin, eyes and inside the mouth."""
    return Surface(
        faces=assets.shape.faces.numpy(),
        colors=assets.appearance.colors.numpy(),
        gloss=assets.appearance.gloss.numpy(),
        uv_coords=assets.appearance.uv_coords.numpy(),
        uv_faces=assets.appearance.uv_faces.numpy(),
        texture=assets.appearance.texture,
        translucency=translucency(assets),
        exposure=mouth_exposure(assets),
    )
