"""Values of a mesh at the texels of its textures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.ndimage import distance_transform_edt

from facetalk.rendering.rasterizer import Raster

_CHUNK = 1 << 17
"""Texels."""


@dataclass(frozen=True, eq=False)
class Texels:
    """The texels of a texture that are covered by faces, and where on the mesh each of them is."""

    height: int
    width: int
    rows: Int[np.ndarray, " texels"]
    columns: Int[np.ndarray, " texels"]
    corners: Int[np.ndarray, "texels 3"]
    """Rows of any table per face corner, flattened: three for each face."""
    shares: Float[np.ndarray, "texels 3"]
    """Barycentric coordinates."""

    def chunks(self) -> Iterator[Texels]:
        """The same texels in portions, so that what is computed at each takes little memory at a time."""
        for start in range(0, len(self.rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            fields = (values[part] for values in (self.rows, self.columns, self.corners, self.shares))
            yield Texels(self.height, self.width, *fields)

    def interpolate(self, values: Float[np.ndarray, "faces 3 width"]) -> Float[np.ndarray, "texels width"]:
        """Values per face corner at the texels."""
        flat = np.ascontiguousarray(values.reshape(-1, values.shape[-1]), np.float32)
        total = self.shares[:, :1] * flat[self.corners[:, 0]]
        for corner in (1, 2):
            total += self.shares[:, corner : corner + 1] * flat[self.corners[:, corner]]
        return total

    def image(self, values: Shaped[np.ndarray, "texels *width"]) -> Shaped[np.ndarray, "rows columns *width"]:
        """Values per texel as an image; texels without a face repeat the nearest one that has one."""
        return values[self._nearest]

    @cached_property
    def _nearest(self) -> Int[np.ndarray, "height width"]:
        number = np.full((self.height, self.width), -1, np.int32)
        number[self.rows, self.columns] = np.arange(len(self.rows))
        found = distance_transform_edt(number < 0, return_distances=False, return_indices=True)
        assert found is not None  # the distances are not asked for, the indices are
        rows, columns = found
        return number[rows, columns]


def covered_texels(
    corners: Float[np.ndarray, "faces 3 2"],
    width: int,
    height: int,
    depth: Float[np.ndarray, "faces 3"] | None = None,
) -> Texels:
    """Find the texels whose centers lie in a face.

    Args:
        corners: texels to the right and up from the lower left corner of the texture.
        width: of the texture, texels.
        height: of the texture, texels.
        depth: where faces lie on each other, the least one is seen; between 1 and 2.
    """
    pixels = np.ones((len(corners) * 3, 3))
    pixels[:, 0] = corners[..., 0].ravel()
    pixels[:, 1] = height - corners[..., 1].ravel()
    if depth is not None:
        pixels *= depth.reshape(-1, 1)
    raster = Raster(np.arange(len(pixels)).reshape(-1, 3), (width, height))
    raster.draw(pixels)
    rows, columns = (places.astype(np.int32) for places in np.nonzero(raster.triangle >= 0))
    found = raster.triangle[rows, columns]
    boxes, planes = raster.boxes, raster.planes
    right, down = (columns - boxes[found, 0]).astype(np.float32), (rows - boxes[found, 2]).astype(np.float32)
    shares = np.empty((len(rows), 3), np.float32)
    for corner in range(3):
        across, along, start = (planes[:, 3 * corner + axis][found] for axis in range(3))
        shares[:, corner] = (across * right + along * down + start).clip(0, None)
    shares /= shares.sum(1, keepdims=True)
    return Texels(height, width, rows, columns, raster.faces[raster.face_of[found]], shares)
