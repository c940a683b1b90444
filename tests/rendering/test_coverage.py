"""Opacity of a mesh at each pixel."""

from __future__ import annotations

import numpy as np
import torch

from facetalk.core.camera import Camera
from facetalk.rendering.coverage import Coverage

CAMERA = Camera(torch.tensor([[100.0, 0, 20], [0, 100.0, 20], [0, 0, 1]]), (40, 40))
SQUARE = np.array([[-0.1, -0.1, -1], [0.1, -0.1, -1], [0.1, 0.1, -1], [-0.1, 0.1, -1]], np.float32)
"""Covers the pixels 10 to 29."""
FACES = np.array([[0, 1, 2], [0, 2, 3]])


def test_an_opaque_mesh_covers_its_pixels_and_no_others() -> None:
    shown = Coverage(FACES, np.ones(4, np.float32), CAMERA).of(SQUARE)
    expected = np.zeros((40, 40), np.uint8)
    expected[10:30, 10:30] = 255
    np.testing.assert_array_equal(shown, expected)


def test_transparent_vertices_let_the_background_through() -> None:
    shown = Coverage(FACES, np.array([1, 1, 1, 0], np.float32), CAMERA).of(SQUARE)
    assert set(np.unique(shown[10:30, 10:30])) == {170, 255}


def test_the_edge_is_soft() -> None:
    shown = Coverage(FACES, np.ones(4, np.float32), CAMERA, blur_m=0.02).of(SQUARE)
    row = shown[20].astype(int)
    assert row[20] == 255 and row[2] == 0
    assert (np.diff(row[:20]) >= 0).all() and np.diff(row[:20]).max() < 80
    assert abs(row[9] + row[10] - 255) < 20


def test_what_lies_outside_of_the_image_covers_nothing() -> None:
    assert (
        Coverage(FACES, np.ones(4, np.float32), CAMERA, blur_m=0.02).of(SQUARE + np.array([9, 0, 0], np.float32)).max()
        == 0
    )
