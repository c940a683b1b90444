"""Meshes whose vertices have one texture coordinate each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class SplitMesh(NamedTuple):
    """A mesh whose vertices have one texture coordinate each."""

    source: Int[np.ndarray, " split"]
    """The vertex that each vertex repeats."""
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
