"""The default background behind the head."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from facetalk.rendering.color import linear_to_srgb, srgb_to_linear

CENTER = (0.47, 0.50, 0.54)
CORNER = (0.17, 0.19, 0.22)
"""sRGB of a studio wall behind the head and at the image's corners."""


def studio_background(image_size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """A wall with a soft light in the middle that fades towards the corners.

    Args:
        image_size: width and height in pixels.
    """
    width, height = image_size
    x = (np.arange(width) + 0.5) / width - 0.5
    y = (np.arange(height) + 0.5) / height - 0.42
    distance = np.sqrt((x[None, :] ** 2 + y[:, None] ** 2) * 2.0)
    blend = np.clip(distance, 0, 1)
    blend = (blend * blend * (3 - 2 * blend))[..., None]
    center, corner = srgb_to_linear(np.array(CENTER)), srgb_to_linear(np.array(CORNER))
    color = 255 * linear_to_srgb(center * (1 - blend) + corner * blend)
    # Half a step of fixed noise hides banding of the gradient in eight bits.
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, color.shape[:2])[..., None]
    return np.clip(np.round(color + noise), 0, 255).astype(np.uint8)
