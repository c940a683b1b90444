"""Parts of an exported head, each with its own texture coordinates and textures.

Programs disagree about vertex colors: Blender ignores those of a GLB, OBJ viewers multiply them with the texture.
Everything that the head says about color is therefore baked into one texture per part.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from facetalk.core.errors import FacetalkError
from facetalk.core.memory import give_back_memory
from facetalk.exporters.baking import Texels, covered_texels
from facetalk.exporters.head_mesh import part_faces
from facetalk.exporters.painted_surface import PaintedSurface
from facetalk.exporters.surface_detail import has_relief
from facetalk.exporters.texture_layout import texture_layout
from facetalk.head.assets import HeadAssets
from facetalk.rendering.color import BYTE_TO_LINEAR, linear_to_srgb

_QUALITY = 90
"""Of the JPEG files."""
_STEEPEST = 0.7
"""Largest slope of a relief; only where a layout crowds its texels, as at the crown, would there be more."""


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
    parts = tuple(_textured(assets, name, members) for name, members in part_faces(assets).items())
    give_back_memory()  # a hundred megabytes, while a video may be rendered beside
    return parts


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
    mean = np.where(weight > 0, linear_to_srgb(total / np.maximum(weight, 1e-9)), 0.5)
    return np.rint(255 * mean).astype(np.uint8)


def is_plain(image: UInt8[np.ndarray, "height width"]) -> bool:
    """Whether all texels are the same."""
    return bool((image == image.flat[0]).all())


def encoded(image: UInt8[np.ndarray, "height width *channels"]) -> bytes:
    """The image as JPEG, small and readable everywhere; without the coarser chroma, which normals would suffer from."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _textured(assets: HeadAssets, name: str, members: np.ndarray) -> TexturedPart:
    corners, (width, height) = texture_layout(assets, name, members)
    texels = covered_texels(corners, width, height)
    if len(texels.rows) == 0:
        raise FacetalkError(f"the {name} of the head {assets.name!r} has no area to paint; check its mesh")
    across_mm, up_mm = _texel_sizes(assets, members, corners)
    painted = _painted(PaintedSurface(assets, name, members), texels, np.maximum(across_mm, up_mm))
    uv_coords = (corners.reshape(-1, 2) / [width, height]).astype(np.float32)
    uv_coords, rows = np.unique(uv_coords, axis=0, return_inverse=True)
    return TexturedPart(
        name=name,
        members=members,
        uv_coords=uv_coords,
        uv_faces=rows.reshape(-1, 3),
        color=texels.image(painted.color),
        roughness=np.asarray(Image.fromarray(texels.image(painted.roughness)).reduce(2)),
        relief=_relief(texels, painted.elevation_mm, across_mm, up_mm) if has_relief(name) else None,
    )


class _Painted(NamedTuple):
    """What a surface looks like at texels, see `PaintedSurface.at`."""

    color: UInt8[np.ndarray, "texels 3"]
    roughness: UInt8[np.ndarray, " texels"]
    elevation_mm: Float[np.ndarray, " texels"]


def _painted(surface: PaintedSurface, texels: Texels, coarse_mm: Float[np.ndarray, " faces"]) -> _Painted:
    portions = [surface.at(chunk, coarse_mm[chunk.corners[:, 0] // 3]) for chunk in texels.chunks()]
    return _Painted(*(np.concatenate(values) for values in zip(*portions, strict=True)))


def _relief(
    texels: Texels, elevation_mm: np.ndarray, across_mm: np.ndarray, up_mm: np.ndarray
) -> UInt8[np.ndarray, "height width 3"]:
    """Normals of an elevation on the mesh, in tangent space, from [-1, 1] to [0, 255]."""
    elevation, face = texels.image(elevation_mm), texels.image(texels.corners[:, 0] // 3)
    # Rows grow downwards, the second axis of tangent space upwards.
    right = (np.gradient(elevation, axis=1) / across_mm[face]).clip(-_STEEPEST, _STEEPEST)
    up = (-np.gradient(elevation, axis=0) / up_mm[face]).clip(-_STEEPEST, _STEEPEST)
    length = np.sqrt(1 + right**2 + up**2)
    return np.stack([np.rint(127.5 + 127.5 * axis / length).astype(np.uint8) for axis in (-right, -up, 1.0)], 2)


def _texel_sizes(assets: HeadAssets, members: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Millimeters on the mesh that one texel to the right and one texel up cover, for each face."""
    place = assets.shape.template.numpy()[assets.shape.faces.numpy()[members]] * 1000
    sides = np.stack([place[:, 1] - place[:, 0], place[:, 2] - place[:, 0]], 1)
    steps = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], 1)
    per_texel = np.linalg.pinv(steps) @ sides
    length = np.linalg.norm(per_texel, axis=2).clip(1e-3)
    return length[:, 0].astype(np.float32), length[:, 1].astype(np.float32)
