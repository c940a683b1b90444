"""Where the faces of each part lie in its texture.

A texture that comes with the head keeps its layout; faces that have no room in it (ears, the inside of the mouth) get
charts in a strip below. Parts without a layout get charts alone, see `charts`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from facetalk.exporters.charts import MARGIN, Chart, charts_of, eye_charts, islands, packed
from facetalk.exporters.head_mesh import EYEBALLS
from facetalk.head.assets import HeadAssets

_TEXELS_PER_FACE, _TEXELS_PER_EYE_FACE = 96, 300
"""Size of the texture of a part without a layout of its own: vertex colors have no detail between vertices."""
_LARGEST = 1024
"""Longest side of such a texture, texels."""
_STRIP = 256
"""Least height of the strip below a given layout, texels."""
_SMALLEST_ISLAND = 0.05
"""Share of the largest group of connected faces that a group needs to stay where it is."""
_SMALLEST_TEXELS = 0.01
"""Twice the area below which a given layout has no room for a face."""


def texture_layout(
    assets: HeadAssets, name: str, members: Int[np.ndarray, " members"]
) -> tuple[Float[np.ndarray, "members 3 2"], tuple[int, int]]:
    """Corners of each face in texels to the right and up, and the texture's width and height.

    Args:
        assets: the head.
        name: of the part.
        members: its faces, in ascending order.
    """
    corners, kept = _given_layout(assets, members)
    if not kept.any():
        size = _own_size(name, len(members))
        return _placed(_charts(assets, name, members), members, corners, size), size
    assert assets.appearance.texture is not None
    rows, width = assets.appearance.texture.shape[:2]
    lowest = max(0, int(corners[kept, :, 1].min()) - MARGIN)
    charts = _charts(assets, name, members[~kept])
    height = -(-(rows - lowest + _STRIP) // 64) * 64 if charts else rows
    strip = height - (rows - lowest)
    corners[..., 1] += strip - lowest
    return _placed(charts, members, corners, (width, strip)), (width, height)


def _own_size(name: str, num_faces: int) -> tuple[int, int]:
    """Width and height in powers of two; two eyes lie side by side."""
    texels = num_faces * (_TEXELS_PER_EYE_FACE if name == "eyes" else _TEXELS_PER_FACE)
    side = min(_LARGEST, 1 << max(6, round(np.log2(texels) / 2)))
    return (side, side // 2) if name == "eyes" else (side, side)


def _given_layout(
    assets: HeadAssets, members: np.ndarray
) -> tuple[Float[np.ndarray, "members 3 2"], Bool[np.ndarray, " members"]]:
    """Corners of faces in the texture that comes with the head, and which faces have room of their own in it.

    Small islands have not: the bottom of a nostril fills the hole that the nostril leaves in the layout, and filtering
    would mix it with the skin around.
    """
    look = assets.appearance
    if look.texture is None:
        return np.zeros((len(members), 3, 2)), np.zeros(len(members), bool)
    rows, width = look.texture.shape[:2]
    corners = look.uv_coords.numpy()[look.uv_faces.numpy()[members]].astype(np.float64) * [width, rows]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    roomy = np.flatnonzero(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] > _SMALLEST_TEXELS)
    kept = np.zeros(len(members), bool)
    groups = islands(assets.shape.faces.numpy()[members[roomy]])
    largest = max(map(len, groups), default=0)
    for group in groups:
        kept[roomy[group]] = len(group) >= _SMALLEST_ISLAND * largest
    return corners, kept


def _charts(assets: HeadAssets, name: str, members: np.ndarray) -> list[Chart]:
    vertices, faces = assets.shape.template.numpy(), assets.shape.faces.numpy()
    charts: list[Chart] = []
    if name == "eyes":
        for region in EYEBALLS:
            eyeball = assets.points.regions[region].numpy()
            ball = members[np.isin(faces[members], eyeball).all(1)]
            charts += eye_charts(vertices, faces, ball, eyeball) if len(ball) else []
            members = np.setdiff1d(members, ball)
    return charts + charts_of(vertices, faces, members)


def _placed(charts: list[Chart], members: np.ndarray, corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The corners with those of the charts filled in, packed from the lower left corner."""
    filled = corners.copy()
    for chart, places in zip(charts, packed(charts, *size), strict=True):
        filled[np.searchsorted(members, chart.faces)] = places
    return filled
