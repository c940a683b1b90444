"""Values of the surface point that each pixel shows, interpolated between the corners of its triangle."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from facetalk.rendering.kernels import kernel
from facetalk.rendering.rasterizer import Raster


class ValueRasterizer:
    """Rasterizes one mesh into images of one size; not for several threads at once."""

    def __init__(self, faces: Int[np.ndarray, "faces 3"], image_size: tuple[int, int]) -> None:
        """Allocate what every frame uses again.

        Args:
            faces: triangles, counter-clockwise seen from outside; their backs are not rendered.
            image_size: width and height in pixels.
        """
        self.image_size = image_size
        self._raster = Raster(faces, image_size)

    def depth(self, pixels: Float[np.ndarray, "vertices 3"]) -> Float[np.ndarray, "height width"]:
        """Inverse depth at each pixel's center, 0 where nothing is; valid until the next call.

        Args:
            pixels: homogeneous pixels (u w, v w, w) with depth w in meters.
        """
        self._raster.draw(pixels)
        return self._raster.nearness

    def values(
        self, pixels: Float[np.ndarray, "vertices 3"], values: Float[np.ndarray, "vertices width"]
    ) -> Float[np.ndarray, "height columns channels"]:
        """Perspective-correct values at each pixel's center, and 1 as the last channel; 0 where nothing is.

        Args:
            pixels: see `depth`.
            values: of the vertices.
        """
        raster = self._raster
        raster.draw(pixels)
        image = np.zeros((*raster.triangle.shape, values.shape[1] + 1), np.float32)
        table = np.ascontiguousarray(values, np.float32)
        _interpolate(raster.triangle, raster.face_of, raster.planes, raster.boxes, raster.faces, table, image)
        return image


@kernel
@no_type_check
def _interpolate(triangle, face_of, planes, boxes, faces, values, image):
    height, width = triangle.shape
    count = values.shape[1]
    for row in range(height):
        for column in range(width):
            t = triangle[row, column]
            if t < 0:
                continue
            dx, dy = np.float32(column - boxes[t, 0]), np.float32(row - boxes[t, 2])
            l0 = planes[t, 0] * dx + planes[t, 1] * dy + planes[t, 2]
            l1 = planes[t, 3] * dx + planes[t, 4] * dy + planes[t, 5]
            l2 = planes[t, 6] * dx + planes[t, 7] * dy + planes[t, 8]
            scale = np.float32(1) / (l0 + l1 + l2)
            l0, l1, l2 = l0 * scale, l1 * scale, l2 * scale
            face = face_of[t]
            p, q, r = faces[face, 0], faces[face, 1], faces[face, 2]
            for c in range(count):
                image[row, column, c] = l0 * values[p, c] + l1 * values[q, c] + l2 * values[r, c]
            image[row, column, count] = np.float32(1)
