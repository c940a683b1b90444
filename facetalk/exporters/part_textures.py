"""Parts of an exported head, each with its own texture coordinates and textures.

Programs disagree about vertex colors: Blender ignores those of a GLB, OBJ viewers multiply them with the texture.
Everything that the head says about color is therefore baked into one texture per part. A texture that comes with the
head keeps its layout; faces that have no room in it (ears, the inside of the mouth) get charts in a strip below. Parts
without a layout get charts alone, see `charts`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image
from scipy.ndimage import map_coordinates

from facetalk.exporters.baking import Texels, covered_texels
from facetalk.exporters.charts import MARGIN, Chart, charts_of, eye_charts, packed
from facetalk.exporters.head_mesh import EYEBALLS, part_faces
from facetalk.exporters.surface_detail import detail_of
from facetalk.head.assets import HeadAssets
from facetalk.head.translucency import mouth_exposure
from facetalk.rendering.color import BYTE_TO_LINEAR, linear_to_srgb, srgb_to_linear

_TEXELS_PER_FACE, _TEXELS_PER_EYE_FACE = 96, 300
"""Size of the texture of a part without a layout of its own: vertex colors have no detail between vertices."""
_LARGEST = 1024
"""Longest side of such a texture, texels."""
_STRIP = 256
"""Least height of the strip below a given layout, texels."""
_QUALITY = 90
"""Of the JPEG files."""
_SMALLEST_TEXELS = 0.01
"""Twice the area below which a given layout has no room for a face."""


@dataclass(frozen=True, eq=False)
class TexturedPart:
    """Faces of one material."""

    name: str
    members: Int[np.ndarray, " members"]
    """Rows of the head's `faces`."""
    uv_coords: Float[np.ndarray, "uvs 2"]
    """In the part's own textures; the origin is at the lower left."""
    uv_faces: Int[np.ndarray, "members 3"]
    """Rows of `uv_coords` for the corners of `members`."""
    color: UInt8[np.ndarray, "height width 3"]
    """sRGB, first row at the top, like all textures."""
    roughness: UInt8[np.ndarray, "half_height half_width"]
    """Perceptual roughness times 255, as glTF and USD define it; half as large."""
    relief: UInt8[np.ndarray, "height width 3"] | None
    """Normals in tangent space, green up; None where the surface is smooth."""


@lru_cache(maxsize=2)
def textured_parts(assets: HeadAssets) -> tuple[TexturedPart, ...]:
    """The parts of a head; made once for the many files of a batch."""
    return tuple(_textured(assets, name, members) for name, members in part_faces(assets).items())


def vertex_colors(assets: HeadAssets) -> UInt8[np.ndarray, "vertices 3"]:
    """The textures' mean sRGB color around each vertex, for formats without textures; gray where there is no face.

    A mean, because strands finer than the mesh would otherwise fill some of its triangles and spare others.
    """
    total, weight = np.zeros((len(assets.shape.template), 3)), np.zeros((len(assets.shape.template), 1))
    for part in textured_parts(assets):
        height, width = part.color.shape[:2]
        texels = covered_texels(part.uv_coords[part.uv_faces] * np.array([width, height], np.float64), width, height)
        linear = BYTE_TO_LINEAR[part.color[texels.rows, texels.columns]]
        vertices = assets.shape.faces.numpy()[part.members].ravel()[texels.corners]
        for corner in range(3):
            share = texels.shares[:, corner, None]
            np.add.at(total, vertices[:, corner], share * linear)
            np.add.at(weight, vertices[:, corner], share)
    return _bytes(np.where(weight > 0, linear_to_srgb(total / np.maximum(weight, 1e-9)), 0.5))


def is_plain(image: UInt8[np.ndarray, "height width"]) -> bool:
    """Whether all texels are the same."""
    return bool((image == image.flat[0]).all())


def encoded(image: UInt8[np.ndarray, "height width *channels"]) -> bytes:
    """The image as JPEG, small and readable everywhere; without the coarser chroma, which normals would suffer from."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _textured(assets: HeadAssets, name: str, members: np.ndarray) -> TexturedPart:
    corners, (width, height) = _layout(assets, name, members)
    texels = covered_texels(corners, width, height)
    detail = detail_of(assets, name, members, texels)
    uv_coords = (corners.reshape(-1, 2) / [width, height]).astype(np.float32)
    uv_coords, rows = np.unique(uv_coords, axis=0, return_inverse=True)
    return TexturedPart(
        name=name,
        members=members,
        uv_coords=uv_coords,
        uv_faces=rows.reshape(-1, 3),
        color=texels.image(_bytes(linear_to_srgb(_linear_color(assets, members, texels)))),
        roughness=_halved(_bytes(texels.image(detail.roughness))),
        relief=None
        if detail.height_mm is None
        else _bytes(_relief(assets, members, corners, texels, detail.height_mm)),
    )


def _layout(
    assets: HeadAssets, name: str, members: np.ndarray
) -> tuple[Float[np.ndarray, "members 3 2"], tuple[int, int]]:
    """Corners of each face in texels to the right and up, and the texture's width and height."""
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


def _given_layout(assets: HeadAssets, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of faces in the texture that comes with the head, and which faces have room in it."""
    look = assets.appearance
    if look.texture is None:
        return np.zeros((len(members), 3, 2)), np.zeros(len(members), bool)
    rows, width = look.texture.shape[:2]
    corners = look.uv_coords.numpy()[look.uv_faces.numpy()[members]].astype(np.float64) * [width, rows]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return corners, first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] > _SMALLEST_TEXELS


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


def _linear_color(assets: HeadAssets, members: np.ndarray, texels: Texels) -> Float[np.ndarray, "texels 3"]:
    """Linear color: vertex color times texture, darker toward the throat.

    Our renderer has no shadows, so its exposure darkens the mouth by all that they would. Some programs cast shadows,
    some do not: the root of the exposure suits both.
    """
    look, faces = assets.appearance, assets.shape.faces.numpy()[members]
    painted = srgb_to_linear(look.colors.numpy()) * np.sqrt(mouth_exposure(assets))[:, None]
    color = texels.interpolate(painted[faces])
    if look.texture is None:
        return color
    height, width = look.texture.shape[:2]
    at = texels.interpolate(look.uv_coords.numpy()[look.uv_faces.numpy()[members]]) * [width, height]
    where = [height - at[:, 1] - 0.5, at[:, 0] - 0.5]
    linear = BYTE_TO_LINEAR[look.texture]
    return color * np.stack([map_coordinates(linear[..., c], where, order=1, mode="nearest") for c in range(3)], 1)


def _relief(
    assets: HeadAssets, members: np.ndarray, corners: np.ndarray, texels: Texels, height_mm: np.ndarray
) -> Float[np.ndarray, "height width 3"]:
    """Normals of a height field on the mesh, in tangent space, mapped from [-1, 1] to [0, 1]."""
    across_mm, up_mm = (
        texels.image(size[texels.corners[:, 0] // 3]) for size in _texel_sizes(assets, members, corners)
    )
    slope = np.gradient(texels.image(height_mm))
    # Rows grow downwards, the second axis of tangent space upwards.
    right, up = slope[1] / across_mm, -slope[0] / up_mm
    normals = np.stack([-right, -up, np.ones_like(up)], 2)
    return normals / np.linalg.norm(normals, axis=2, keepdims=True) / 2 + 0.5


def _texel_sizes(assets: HeadAssets, members: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Millimeters on the mesh that one texel to the right and one texel up cover, for each face."""
    place = assets.shape.template.numpy()[assets.shape.faces.numpy()[members]] * 1000
    sides = np.stack([place[:, 1] - place[:, 0], place[:, 2] - place[:, 0]], 1)
    steps = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], 1)
    per_texel = np.linalg.pinv(steps) @ sides
    length = np.linalg.norm(per_texel, axis=2).clip(1e-3)
    return length[:, 0], length[:, 1]


def _halved(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).reduce(2))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values.clip(0, 1) * 255).astype(np.uint8)
