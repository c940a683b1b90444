"""Smoothing of a motion that keeps its contacts."""

from __future__ import annotations

import math
from numbers import Real

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.core.motion import POSES, Motion
from facetalk.core.rotations import axis_angle_to_quaternion, quaternion_to_axis_angle
from facetalk.core.timing import FPS
from facetalk.motion.contacts import keep_contacts

MOST_FRAMES = 30.0


def smoothed(motion: Motion, frames: float) -> Motion:
    """Return a motion without jitter: every curve is averaged over time with the weights of a normal distribution.

    Lips and lids that were closed stay closed, see `keep_contacts`. Rotations are averaged on the side of the sphere
    where they are.

    Args:
        motion: for any head.
        frames: standard deviation in thirtieths of a second, whatever the frame rate is; 0 changes nothing.
    """
    if not (isinstance(frames, Real) and 0 <= frames <= MOST_FRAMES):
        raise UsageError(f"the smoothing is {frames}; it must be between 0 and {MOST_FRAMES:g} frames")
    spread = float(frames) * motion.fps / FPS
    if spread == 0:
        return motion
    if motion.laughter is not None:
        return motion.keeping_laughter(lambda part: smoothed(part, frames))
    poses = {name: _smoothed_rotations(getattr(motion, name), spread) for name in POSES}
    changed = motion.replace(
        expression=_averaged(motion.expression, spread), transl=_averaged(motion.transl, spread), **poses
    )
    return keep_contacts(motion, changed)


def _averaged(rows: Float[Tensor, "frames width"], spread: float) -> Float[Tensor, "frames width"]:
    """Moving average with normal weights; the first and last row go on beyond the ends."""
    reach = min(math.ceil(3 * spread), len(rows))
    offsets = torch.arange(-reach, reach + 1, dtype=rows.dtype)
    weights = torch.softmax(-(offsets**2) / (2 * spread**2), 0)
    padded = torch.cat([rows[:1].expand(reach, -1), rows, rows[-1:].expand(reach, -1)])
    result = torch.zeros_like(rows)
    for start, weight in enumerate(weights.tolist()):  # a convolution would unfold an hour of rows in memory
        result += weight * padded[start : start + len(rows)]
    return result


def _smoothed_rotations(rotations: Float[Tensor, "frames 3"], spread: float) -> Float[Tensor, "frames 3"]:
    if not bool(rotations.any()):
        return rotations
    quaternions = axis_angle_to_quaternion(rotations)
    steps = torch.where((quaternions[1:] * quaternions[:-1]).sum(1) < 0, -1, 1)
    signs = torch.cat([steps.new_ones(1), steps.cumprod(0)])
    mean = _averaged(quaternions * signs[:, None], spread)
    return quaternion_to_axis_angle(torch.nn.functional.normalize(mean, dim=1))
