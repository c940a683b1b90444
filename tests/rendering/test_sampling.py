"""Colors between the pixels of an image."""

from __future__ import annotations

import numpy as np

from facetalk.rendering.sampling import sampled


def test_an_image_is_read_as_by_linear_interpolation_with_its_edge_repeated() -> None:
    generator = np.random.default_rng(0)
    image = generator.integers(0, 255, (5, 7, 3)).astype(np.uint8)
    places = generator.uniform(-2, 9, (4, 6, 2)).astype(np.float32)
    result = sampled(image, places)
    padded = np.pad(image.astype(np.float64), ((4, 6), (4, 6), (0, 0)), mode="edge")
    for row, column in np.ndindex(4, 6):
        x, y = places[row, column].astype(np.float64) + 3.5
        left, top = int(x), int(y)
        fx, fy = x - left, y - top
        corners = padded[top : top + 2, left : left + 2]
        expected = np.einsum("i,j,ijc->c", [1 - fy, fy], [1 - fx, fx], corners)
        np.testing.assert_allclose(result[row, column], expected, atol=1e-3)


def test_the_centers_of_pixels_have_the_values_of_the_pixels() -> None:
    image = np.random.default_rng(0).uniform(size=(4, 5, 2)).astype(np.float32)
    x, y = np.meshgrid(np.arange(5) + 0.5, np.arange(4) + 0.5)
    np.testing.assert_array_equal(sampled(image, np.stack([x, y], -1)), image)
