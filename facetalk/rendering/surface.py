"""A mesh's triangles and appearance: everything the renderer needs besides vertex positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, UInt8

from facetalk.rendering.seams import SplitMesh, split_at_seams


@dataclass(frozen=True, eq=False)
class Surface:
    """The appearance of a mesh: everything that stays the same from frame to frame."""

    faces: Integer[np.ndarray, "faces 3"]
    """Triangles, counter-clockwise seen from outside; their backs are not rendered."""
    colors: Float[np.ndarray, "vertices 3"]
    """sRGB in [0, 1]; multiplied with the texture where there is one."""
    gloss: Float[np.ndarray, "vertices 2"]
    """Specular strength in [0, 1] and Phong exponent."""
    uv_coords: Float[np.ndarray, "uvs 2"] | None = None
    """Origin at the lower left."""
    uv_faces: Integer[np.ndarray, "faces 3"] | None = None
    """Rows of `uv_coords` for the corners of `faces`."""
    texture: UInt8[np.ndarray, "rows columns 3"] | None = None
    """sRGB, first row at the top."""
    translucency: Float[np.ndarray, " vertices"] | None = None
    """How far light spreads under the surface, in [0, 1]: 1 for skin, 0 (the default everywhere) for opaque."""
    exposure: Float[np.ndarray, " vertices"] | None = None
    """Share of the light that reaches each vertex, in [0, 1]; below 1 inside a mouth. 1 everywhere if not given."""

    def __post_init__(self) -> None:
        if len(self.faces) and (self.faces.min() < 0 or self.faces.max() >= self.num_vertices):
            raise ValueError(f"faces name vertices {self.faces.min()}..{self.faces.max()} of {self.num_vertices}")
        if self.texture is not None:
            if self.uv_coords is None or self.uv_faces is None:
                raise ValueError("a texture needs uv_coords and uv_faces")
            if len(self.uv_faces) and (self.uv_faces.min() < 0 or self.uv_faces.max() >= len(self.uv_coords)):
                raise ValueError(f"uv_faces name rows {self.uv_faces.min()}..{self.uv_faces.max()} of uv_coords")

    @property
    def num_vertices(self) -> int:
        """Number of vertices."""
        return len(self.colors)

    def split(self) -> SplitMesh:
        """The mesh with vertices duplicated at texture seams; as it is, with zeros for coordinates, without any."""
        if self.uv_coords is None or self.uv_faces is None:
            return SplitMesh(np.arange(self.num_vertices), np.zeros((self.num_vertices, 2), np.float32), self.faces)
        return split_at_seams(self.faces, self.uv_faces, self.uv_coords)
