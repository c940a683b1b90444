from __future__ import annotations

import numpy as np

from facetalk.exporters.head_mesh import part_faces, vertex_normals, vertex_tangents
from facetalk.head.assets import HeadAssets


def test_parts_share_out_all_faces_once(toy_assets: HeadAssets) -> None:
    members = np.concatenate(list(part_faces(toy_assets).values()))
    np.testing.assert_array_equal(np.sort(members), np.arange(len(toy_assets.shape.faces)))


def test_normals_are_the_area_weighted_mean_of_face_normals() -> None:
    generator = np.random.default_rng(3)
    vertices, faces = generator.normal(size=(9, 3)), generator.permuted(np.tile(np.arange(8), (12, 1)), axis=1)[:, :3]
    slow = np.zeros((9, 3))
    for a, b, c in faces:
        for corner in (a, b, c):
            slow[corner] += np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
    slow[8] = [0, 0, 1]  # no face touches the ninth vertex
    slow /= np.linalg.norm(slow, axis=1, keepdims=True)
    np.testing.assert_allclose(vertex_normals(vertices, faces), slow, atol=1e-5)


def test_tangents_point_where_the_texture_coordinates_grow() -> None:
    generator = np.random.default_rng(5)
    uv = generator.random((30, 2)).astype(np.float32)
    along, up = np.array([2.0, 1.0, 0.0]), np.array([-1.0, 2.0, 0.5])
    vertices = (uv[:, :1] * along + uv[:, 1:] * up).astype(np.float32)
    normals = np.tile(np.cross(along, up) / np.linalg.norm(np.cross(along, up)), (30, 1)).astype(np.float32)
    faces = np.array([generator.permutation(30)[:3] for _ in range(60)] + [[0, 1, 1]])
    one, other = uv[faces[:, 1]] - uv[faces[:, 0]], uv[faces[:, 2]] - uv[faces[:, 0]]
    area = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    faces[area < 0] = faces[area < 0][:, ::-1]
    used = np.unique(faces[:-1])
    tangents = vertex_tangents(vertices, normals, uv, faces)
    np.testing.assert_allclose(tangents[used, :3], np.tile(along / np.linalg.norm(along), (len(used), 1)), atol=1e-3)
    np.testing.assert_array_equal(tangents[used, 3], 1)
    # Mirrored, the second coordinate grows the other way.
    mirrored = vertex_tangents(vertices, normals, uv * [1, -1], faces)
    np.testing.assert_array_equal(mirrored[used, 3], -1)
    assert np.isfinite(tangents).all()
