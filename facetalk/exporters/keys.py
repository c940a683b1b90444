"""Which frames of an animation need a key, where a program interpolates linearly between keys."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float

from facetalk.rendering.kernels import kernel

WEIGHT_TOLERANCE = 0.002
"""Largest error of a blend shape's weight."""
ROTATION_TOLERANCE = 2e-4
"""Largest error of a quaternion's component: at most 0.05 degrees."""
TRANSLATION_TOLERANCE_M = 5e-5


def needed_keys(values: Float[np.ndarray, "frames channels"], tolerance: float) -> Bool[np.ndarray, " frames"]:
    """Frames to keep so that linear interpolation reproduces the others; always the first and the last.

    Args:
        values: channels that share their keys.
        tolerance: largest error of any channel at any dropped frame.
    """
    keep = np.zeros(len(values), np.bool_)
    keep[[0, -1]] = True
    _mark(np.ascontiguousarray(values, np.float32), np.float32(tolerance), keep)
    return keep


@kernel
@no_type_check
def _mark(values, tolerance, keep):
    """Extend each segment for as long as one line stays within the tolerance of every frame that it passes.

    From a key, the slopes that pass a frame closely enough are an interval. A later frame can end the segment if its
    slope lies in the intervals of all frames between, in every channel.

    Args:
        values: (frames, channels) float32.
        tolerance: largest error.
        keep: (frames,) bool, set at the keys.
    """
    frames, channels = values.shape
    low, high = np.empty(channels, np.float32), np.empty(channels, np.float32)
    start = 0
    while start < frames - 1:
        low[:] = np.float32(-1e30)
        high[:] = np.float32(1e30)
        end, frame, open_cones = start + 1, start + 1, True
        while frame < frames and open_cones:
            fits = True
            share = np.float32(1) / np.float32(frame - start)
            for channel in range(channels):
                slope = (values[frame, channel] - values[start, channel]) * share
                fits = fits and low[channel] <= slope <= high[channel]
                low[channel] = max(low[channel], slope - tolerance * share)
                high[channel] = min(high[channel], slope + tolerance * share)
                open_cones = open_cones and low[channel] <= high[channel]
            if fits:
                end = frame
            frame += 1
        keep[end] = True
        start = end
