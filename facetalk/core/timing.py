"""Conversion between seconds, samples and frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

FPS = 30.0
"""Frames per second of every motion inside facetalk; other rates are resampled on input and output."""

SAMPLE_RATE = 16_000
"""Audio sample rate inside facetalk, Hz."""


def exact_rate(fps: float) -> Fraction:
    """The frame rate that a rounded number stands for: 29.97 is 30000/1001, 25 is 25.

    Over an hour, 29.97 and 30000/1001 differ by more than three frames.
    """
    whole = round(fps * 1.001)
    if fps != round(fps) and abs(fps - whole * 1000 / 1001) < 0.0051:
        return Fraction(whole * 1000, 1001)
    return Fraction(fps).limit_denominator(1001)


def frames_for(seconds: float, fps: float = FPS) -> int:
    """Number of video frames that cover a duration, at least one."""
    return max(1, round(seconds * fps))


def frame_times(num_frames: int, fps: float | Fraction = FPS) -> Float[Tensor, " frames"]:
    """Start time of each frame in seconds, float64."""
    return torch.arange(num_frames, dtype=torch.float64) / float(fps)


def resample(
    values: Float[Tensor, "rows *width"],
    times: Float[Tensor, " rows"],
    target_times: Float[Tensor, " frames"],
) -> Float[Tensor, "frames *width"]:
    """Resample values at other times: linear in between, constant beyond the ends.

    Args:
        values: one row per time.
        times: increasing times of the rows, seconds; need not be evenly spaced.
        target_times: wanted times, seconds.
    """
    if len(times) == 1:
        return values.expand(len(target_times), *values.shape[1:]).clone()
    times = times.to(torch.float64).contiguous()
    right = torch.searchsorted(times, target_times.to(torch.float64)).clamp(1, len(times) - 1)
    left = right - 1
    span = (times[right] - times[left]).clamp_min(1e-9)
    blend = ((target_times - times[left]) / span).clamp(0, 1).to(values.dtype)
    blend = blend.reshape(-1, *[1] * (values.ndim - 1))
    return torch.lerp(values[left], values[right], blend)


class Window(NamedTuple):
    """A slice of frames to read, and the part of it to keep."""

    read: slice
    keep: slice


def windows(num_frames: int, size: int, margin: int) -> Iterator[Window]:
    """Cover a long clip with short windows that share `margin` frames at each seam."""
    step = size - 2 * margin
    if step < 1:
        raise ValueError(f"size={size} leaves nothing between two margins of {margin}")
    for start in range(0, num_frames, step):
        stop = min(start + step, num_frames)
        read = slice(max(start - margin, 0), min(stop + margin, num_frames))
        yield Window(read, slice(start - read.start, stop - read.start))


def streamed_windows(
    blocks: Iterable[Float[Tensor, "_ width"]], num_frames: int, size: int, margin: int
) -> Iterator[tuple[Float[Tensor, "_ width"], slice]]:
    """Yield the rows of each of `windows` and the part of them to keep; only the rows in use are held.

    Args:
        blocks: consecutive rows, `num_frames` in all.
        num_frames: number of rows.
        size: see `windows`.
        margin: see `windows`.
    """
    coming = iter(blocks)
    held, first = next(coming), 0
    for window in windows(num_frames, size, margin):
        held, first = held[window.read.start - first :], window.read.start
        parts = [held]
        while sum(map(len, parts)) < window.read.stop - first:
            parts.append(next(coming))
        held = torch.cat(parts) if len(parts) > 1 else held
        yield held[: window.read.stop - first], window.keep
