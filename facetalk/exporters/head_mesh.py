"""The head's mesh as file formats need it: parts, normals and tangents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from facetalk.core.errors import FacetalkError
from facetalk.head.assets import HeadAssets
from facetalk.rendering.normals import vertex_normals as fill_normals

EYEBALLS = ("left_eyeball", "right_eyeball")
PARTS = {
    "skin": (),
    "eyes": EYEBALLS,
    "teeth": ("upper_teeth", "lower_teeth"),
    "tongue": ("tongue",),
}
"""Materials of an exported head and the regions they cover; skin is the rest."""


def vertex_normals(
    vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Unit normals, faces weighted by area; (0, 0, 1) where a vertex has no face."""
    normals = np.empty((len(vertices), 3), np.float32)
    fill_normals(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32), normals)
    normals[(normals == 0).all(1)] = (0, 0, 1)
    return normals


def vertex_tangents(
    vertices: Float[np.ndarray, "vertices 3"],
    normals: Float[np.ndarray, "vertices 3"],
    uv_coords: Float[np.ndarray, "vertices 2"],
    faces: Int[np.ndarray, "faces 3"],
) -> Float[np.ndarray, "vertices 4"]:
    """Direction in which the texture's first coordinate grows, and the sign of the second one's.

    Args:
        vertices: split at texture seams, meters.
        normals: unit length.
        uv_coords: one per vertex; the origin is at the lower left.
        faces: triangles.

    Returns:
        Unit vectors perpendicular to the normals, and 1 or -1: the second coordinate grows along their cross product.
    """
    sides = vertices[faces[:, 1:]] - vertices[faces[:, :1]]
    steps = uv_coords[faces[:, 1:]] - uv_coords[faces[:, :1]]
    area = steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0]
    along = np.sign(area)[:, None] * (sides[:, 0] * steps[:, 1, 1:] - sides[:, 1] * steps[:, 0, 1:])
    total, sign = np.zeros_like(normals, np.float64), np.zeros(len(normals))
    for corner in range(3):
        np.add.at(total, faces[:, corner], along)
        np.add.at(sign, faces[:, corner], area)
    total -= (total * normals).sum(1, keepdims=True) * normals
    length = np.linalg.norm(total, axis=1, keepdims=True)
    # Where the texture gives no direction, any one across the normal will do.
    spare = np.cross(normals, np.eye(3)[np.abs(normals).argmin(1)])
    total = np.where(length > 1e-12, total, spare)
    total /= np.linalg.norm(total, axis=1, keepdims=True)
    return np.hstack([total, np.where(sign < 0, -1.0, 1.0)[:, None]]).astype(np.float32)


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


def refuse_other_files(folder: Path, suffixes: Sequence[str]) -> None:
    """Refuse to replace a folder that holds more than an earlier export.

    Args:
        folder: where an export is to be written; it may not exist yet.
        suffixes: of the files that an export writes, or their whole names.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_dir() or not {path.suffix, path.name} & set(suffixes):
            raise FacetalkError(f"{folder} holds {path.name}, which no export wrote; choose another folder")
