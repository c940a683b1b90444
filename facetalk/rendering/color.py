"""sRGB (IEC 61966-2-1) and linear light, and the tone curve between scene and display."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

SHOULDER = 0.6
"""Linear light above which highlights roll off instead of clipping."""

BRIGHTEST = 4.0
"""Linear light at the end of the tone table."""

TONE_STEPS = 4096

TONE_OFFSET = 2.0**-8
TONE_SHIFT = 13
"""The row of the tone table for some light: the bits of `light + TONE_OFFSET` as a 32-bit float, less those of the
offset, without the last ones. A float's bits grow like a logarithm, so that there are 1024 rows for twice the light."""


def srgb_to_linear(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Linear light of sRGB values, both in [0, 1]."""
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """sRGB values of linear light, both in [0, 1]."""
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0.0031308) ** (1 / 2.4) - 0.055)


def tone(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Display light in [0, 1) of scene light: the same below `SHOULDER`, then an exponential roll-off."""
    room = 1 - SHOULDER
    return np.where(values <= SHOULDER, values, 1 - room * np.exp(-(np.maximum(values, SHOULDER) - SHOULDER) / room))


def _tone_rows() -> Float[np.ndarray, " rows"]:
    """Scene light in the middle of each row of the tone table."""
    first, last = (int(np.float32(light + TONE_OFFSET).view(np.int32)) >> TONE_SHIFT for light in (0.0, BRIGHTEST))
    middles = (np.arange(first, last + 1) << TONE_SHIFT) + (1 << (TONE_SHIFT - 1))
    return np.maximum(middles.astype(np.int32).view(np.float32).astype(np.float64) - TONE_OFFSET, 0.0)


BYTE_TO_LINEAR = srgb_to_linear(np.arange(256) / 255).astype(np.float32)
"""Linear light of each sRGB byte."""

TONE_TABLE = np.round(255 * linear_to_srgb(tone(_tone_rows()))).astype(np.uint8)
"""sRGB byte of scene light up to `BRIGHTEST`, see `TONE_SHIFT`."""

LINEAR_TO_BYTE = np.round(255 * linear_to_srgb((np.arange(TONE_STEPS) / (TONE_STEPS - 1)) ** 2)).astype(np.uint8)
"""sRGB byte of display light in [0, 1]; the row is the square root of light."""
