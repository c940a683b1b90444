"""The head's mesh as file formats need it: parts, vertices split at texture seams, normals, baked vertex colors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from facetalk.core.errors import FacetalkError
from facetalk.head.assets import HeadAssets
from facetalk.rendering.normals import vertex_normals as fill_normals

PARTS = {
    "skin": (),
    "eyes": ("left_eyeball", "right_eyeball"),
    "teeth": ("upper_teeth", "lower_teeth"),
    "tongue": ("tongue",),
}
"""Materials of an exported head and the regions they cover; skin is the rest."""


class SplitMesh(NamedTuple):
    """A mesh whose vertices have one texture coordinate each."""

    source: Int[np.ndarray, " split"]
    """The head's vertex that each vertex repeats."""
    uv_coords: Float[np.ndarray, "split 2"]
    faces: Int[np.ndarray, "faces 3"]


def split_at_seams(
    faces: Int[np.ndarray, "faces 3"], uv_faces: Int[np.ndarray, "faces 3"], uv_coords: Float[np.ndarray, "uvs 2"]
) -> SplitMesh:
    """The mesh with vertices duplicated at texture seams; vertices without a face are omitted."""
    pairs = faces.astype(np.int64).ravel() * len(uv_coords) + uv_faces.ravel()
    used, corner = np.unique(pairs, return_inverse=True)
    source, uv = np.divmod(used, len(uv_coords))
    return SplitMesh(source, uv_coords[uv], corner.reshape(faces.shape))


def vertex_normals(
    vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Unit normals, faces weighted by area; (0, 0, 1) where a vertex has no face."""
    normals = np.empty((len(vertices), 3), np.float32)
    fill_normals(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32), normals)
    normals[(normals == 0).all(1)] = (0, 0, 1)
    return normals


def part_faces(assets: HeadAssets) -> dict[str, Int[np.ndarray, " members"]]:
    """Numbers of the faces of each part of `PARTS` that this head has."""
    part_of_vertex = np.zeros(len(assets.shape.template), np.int64)
    for number, regions in enumerate(PARTS.values()):
        for region in regions:
            if region in assets.points.regions:
                part_of_vertex[assets.points.regions[region].numpy()] = number
    # A face belongs to a part only with all its corners.
    corners = part_of_vertex[assets.shape.faces.numpy()]
    part = np.where((corners == corners[:, :1]).all(1), corners[:, 0], 0)
    members = {name: np.flatnonzero(part == number) for number, name in enumerate(PARTS)}
    return {name: numbers for name, numbers in members.items() if len(numbers)}


def painted_colors(assets: HeadAssets) -> Float[np.ndarray, "vertices 3"]:
    """sRGB of each vertex in [0, 1], with the texture baked in: for formats that carry no texture."""
    look = assets.appearance
    colors = look.colors.numpy()
    if look.texture is None:
        return colors
    height, width = look.texture.shape[:2]
    uv = np.zeros((len(colors), 2), np.float32)
    uv[assets.shape.faces.numpy().ravel()] = look.uv_coords.numpy()[look.uv_faces.numpy().ravel()]
    column = np.clip(uv[:, 0] * width, 0, width - 1).astype(np.int64)
    row = np.clip((1 - uv[:, 1]) * height, 0, height - 1).astype(np.int64)
    return colors * look.texture[row, column].astype(np.float32) / 255


def refuse_other_files(folder: Path, suffixes: Sequence[str]) -> None:
    """Refuse to replace a folder that holds more than an earlier export.

    Args:
        folder: where meshes are to be written; it may not exist yet.
        suffixes: of the files that an export writes.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_dir() or path.suffix not in suffixes:
            raise FacetalkError(f"{folder} holds {path.name}, which no export wrote; choose another folder")
