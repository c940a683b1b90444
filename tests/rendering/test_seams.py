from __future__ import annotations

import numpy as np

from facetalk.rendering.seams import split_at_seams
from facetalk.rendering.surface import Surface
from tests.rendering.meshes import plain


def test_seams_double_vertices_and_keep_every_corner() -> None:
    generator = np.random.default_rng(0)
    faces = np.array([[0, 1, 2], [0, 2, 3], [5, 4, 3]])
    uv_faces, uv_coords = np.array([[0, 1, 2], [0, 2, 3], [6, 5, 4]]), generator.uniform(size=(8, 2))
    mesh = split_at_seams(faces, uv_faces, uv_coords)
    assert len(mesh.source) == 7, "vertex 3 has two texture coordinates"
    np.testing.assert_array_equal(mesh.source[mesh.faces], faces)
    np.testing.assert_array_equal(mesh.uv_coords[mesh.faces], uv_coords[uv_faces])
    assert len(split_at_seams(faces[:2], faces[:2], np.zeros((9, 2))).source) == 4, "vertices without a face go"


def test_a_surface_without_texture_coordinates_stays_whole() -> None:
    faces = np.array([[0, 2, 1]])
    surface: Surface = plain(5, faces)
    mesh = surface.split()
    np.testing.assert_array_equal(mesh.source, np.arange(5))
    np.testing.assert_array_equal(mesh.faces, faces)
    assert not mesh.uv_coords.any()
