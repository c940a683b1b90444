from __future__ import annotations

import numpy as np
import pytest

from facetalk.rendering.yuv import yuv420_planes


@pytest.mark.parametrize("width", [2, 8, 16, 22, 48])
def test_planes_are_those_of_the_standard(width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, width, 3), dtype=np.uint8)
    luma, blue, red = np.split(yuv420_planes(image), [6 * width, 6 * width * 5 // 4])
    luma, blue, red = luma.reshape(6, width), blue.reshape(3, -1), red.reshape(3, -1)
    rgb = image / 255
    y = rgb @ [0.2126, 0.7152, 0.0722]
    np.testing.assert_allclose(luma, 16 + 219 * y, atol=0.52)
    for plane, channel, scale in ((blue, 2, 1.8556), (red, 0, 1.5748)):
        chroma = ((rgb[..., channel] - y) / scale).reshape(3, 2, width // 2, 2).mean((1, 3))
        np.testing.assert_allclose(plane, 128 + 224 * chroma, atol=0.52)


def test_gray_has_no_color_and_the_ends_are_legal() -> None:
    for level, expected in ((0, 16), (128, 126), (255, 235)):
        planes = yuv420_planes(np.full((2, 2, 3), level, np.uint8))
        np.testing.assert_array_equal(planes, [expected] * 4 + [128, 128])
