"""Smooth vertex normals."""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from facetalk.rendering.kernels import kernel


@kernel
@no_type_check
def vertex_normals(vertices, faces, normals):
    """Unit normals, each the area-weighted mean of the triangles around the vertex.

    Args:
        vertices: (V, 3) float32.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        normals: (V, 3) float32, filled; zero where a vertex has no triangle.
    """
    normals[:] = np.float32(0)
    for f in range(len(faces)):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
        bx, by, bz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
        x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for vertex in (i, j, k):
            normals[vertex, 0] += x
            normals[vertex, 1] += y
            normals[vertex, 2] += z
    for v in range(len(normals)):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        square = x * x + y * y + z * z
        scale = np.float32(1) / np.sqrt(square) if square > np.float32(0) else np.float32(0)
        normals[v, 0], normals[v, 1], normals[v, 2] = x * scale, y * scale, z * scale
