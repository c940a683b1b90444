"""Values of visible surface points against rays that are cast one by one."""

from __future__ import annotations

import numpy as np
import torch

from facetalk.core.camera import Camera
from facetalk.rendering.surface_values import ValueRasterizer
from tests.rendering.meshes import ball
from tests.rendering.reference import first_hit

K = np.array([[60.0, 0, 12], [0, 60.0, 10], [0, 0, 1]])
SIZE = (24, 20)


def test_each_pixel_has_the_value_of_the_surface_point_that_a_ray_meets() -> None:
    vertices, faces = ball(rings=6)
    vertices = vertices + np.array([0.01, 0.0, -0.5], np.float32)
    camera = Camera(torch.from_numpy(K).float(), SIZE)
    values = np.random.default_rng(0).uniform(-3, 3, (len(vertices), 2)).astype(np.float32)
    depth = -vertices[:, 2]
    pixels = np.stack(
        [K[0, 2] * depth + K[0, 0] * vertices[:, 0], K[1, 2] * depth - K[1, 1] * vertices[:, 1], depth], 1
    )
    image = ValueRasterizer(faces, camera.image_size).values(pixels, values)
    expected = np.zeros_like(image)
    for row in range(SIZE[1]):
        for column in range(SIZE[0]):
            ray = np.array([(column + 0.5 - K[0, 2]) / K[0, 0], -(row + 0.5 - K[1, 2]) / K[1, 1], -1.0])
            hit = first_hit(ray, vertices.astype(np.float64)[faces])
            if hit is not None:
                expected[row, column] = [*(hit[1] @ values[faces[hit[0]]]), 1.0]
    assert 50 < expected[..., -1].sum() < 450
    np.testing.assert_allclose(image, expected, atol=1e-3)
