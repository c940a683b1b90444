"""A rough map takes the edges of the image."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from facetalk.rendering.guided_filter import guided


def test_a_blurred_map_becomes_as_sharp_as_the_image_and_ignores_noise() -> None:
    rng = np.random.default_rng(0)
    exact = np.zeros((60, 60), np.float32)
    exact[20:, 15:45] = 1
    colors = np.where(exact[..., None] > 0, [0.8, 0.5, 0.4], [0.3, 0.5, 0.7])
    image = (colors + rng.normal(0, 0.02, (60, 60, 3))).astype(np.float32)
    rough = gaussian_filter(exact, 3.0)
    found = guided(rough, image, 8, 1e-3)
    assert rough[40, 44] - rough[40, 45] < 0.2 < 0.5 < found[40, 44] - found[40, 45]
    assert np.abs(np.diff(found[40, 46:58])).max() < 0.15 and abs(found[40, 30] - 1) < 0.1
    flat = guided(rough, np.full((60, 60, 3), 0.5, np.float32), 2, 1e-3)
    np.testing.assert_allclose(flat[40, 30], rough[40, 30], atol=0.05)
