"""Idle motion: blinks, small head movements and glances, from statistics of real speakers.

The figures were measured on MediaPipe landmarks of talking clips that are longer than 4.5 s and show a face in 98 % of
the frames (9.4 minutes, 287 blinks).

What happens in a frame depends only on the generator and the number of the frame: a longer recording begins as a
shorter one does. So blinks, head and gaze have a generator each, every random process runs forward in time, and random
numbers are drawn in blocks of a fixed size, because `torch.randn` gives other values for another size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.events import Event
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS
from facetalk.head.channels import BLINK_NAMES, GAZE_NAMES, indices
from facetalk.head.gaze import gaze_pose, gaze_to_channels
from facetalk.io.audio import Waveform

BLINK_SHAPE = (0.0, 0.06, 0.32, 0.78, 1.0, 0.81, 0.51, 0.31, 0.18, 0.13, 0.09, 0.07, 0.04, 0.02, 0.0)
"""How far the lids are closed, a row per frame at 30 fps: median over the measured blinks, aligned at their peak."""

_PEAK = BLINK_SHAPE.index(1.0)
_LENGTH = next(frame for frame, closed in enumerate(BLINK_SHAPE) if frame > _PEAK and closed < 0.1)
"""Frames of a blink until the lids are open again."""

BLOCK_FRAMES = 256
"""Random numbers are drawn for this many frames at a time."""


@dataclass(frozen=True)
class IdleConfig:
    """Measured figures; angles in degrees, in the order pitch, yaw, roll."""

    blink_rate: float = 0.33
    """Blinks per second. Speakers in interviews blinked 0.51 times; 0.2 to 0.4 is usual in monologues."""
    interval_spread: float = 0.74
    """Standard deviation of the natural logarithm of the time between blinks."""
    min_interval_s: float = 0.45
    head_spread: tuple[float, float, float] = (1.5, 1.2, 0.9)
    """Standard deviation within a clip: the lower quartile over the clips."""
    head_rate: tuple[float, float, float] = (4.3, 3.7, 3.0)
    """Standard deviation of the angular speed over that of the angle, 1/s: median over the clips."""
    fixation_s: float = 0.9
    """Mean time between two glances."""
    gaze_spread: tuple[float, float] = (1.2, 2.0)
    """Standard deviation of the directions of gaze: pitch, yaw. A choice: the tracker's noise is of this size."""


class IdleMotion(NamedTuple):
    """Movements that are added to a talking face."""

    closure: Float[Tensor, " frames"]
    """Of the lids: 0 open, 1 closed."""
    head: Float[Tensor, "frames 3"]
    """Axis-angle of the neck, radians."""
    gaze: Float[Tensor, "frames 2"]
    """Pitch (down) and yaw (to the subject's left) of both eyes, radians."""
    blinks: list[int]
    """First frame of each blink."""


@dataclass(frozen=True)
class Idle:
    """Blinks, sways the head and moves the eyes, independently of the speech."""

    head_motion: float = 1.0
    """Multiplies how far head and eyes move; 0 for not at all."""
    blinks: float = 1.0
    """Multiplies how often the eyes blink; 0 for never."""
    config: IdleConfig = IdleConfig()

    def add(self, motion: Motion, waveform: Waveform | None, generator: torch.Generator) -> Motion:
        """Return the motion with blinks, head movements and glances; see `Gesture.add`."""
        if motion.fps != FPS:
            raise ValueError(f"idle motion is made for {FPS:g} fps, the motion has {motion.fps:g}")
        config = replace(self.config, blink_rate=self.config.blink_rate * self.blinks)
        idle = sample_idle(motion.num_frames, generator, config)
        head = self.head_motion * idle.head
        # The eyes stay on the viewer while the head moves, apart from the glances.
        pitch, yaw = (self.head_motion * idle.gaze - head[:, :2]).unbind(1)
        pose = gaze_pose(yaw, pitch)
        leye_pose, reye_pose = motion.leye_pose + pose, motion.reye_pose + pose
        expression = motion.expression.clone()
        columns = indices(BLINK_NAMES, motion.expression_names)
        if self.blinks > 0:
            # A blink closes what is still open, so that half-closed lids do not close twice.
            expression[:, columns] += idle.closure[:, None] * (1 - expression[:, columns])
        if self.head_motion > 0:
            expression[:, indices(GAZE_NAMES, motion.expression_names)] = gaze_to_channels(leye_pose, reye_pose)
        return motion.replace(
            expression=expression, neck_pose=motion.neck_pose + head, leye_pose=leye_pose, reye_pose=reye_pose
        ).with_events(blink_events(idle.blinks))


def sample_idle(num_frames: int, generator: torch.Generator, config: IdleConfig | None = None) -> IdleMotion:
    """Sample idle motion at 30 fps.

    Args:
        num_frames: how many frames; fewer give the beginning of more.
        generator: its state decides everything, and moves on by the same amount for any number of frames.
        config: the statistics.
    """
    config = config or IdleConfig()
    seeds = torch.randint(2**62, (5,), generator=generator).tolist()
    blinks, gaze, *axes = (torch.Generator().manual_seed(seed) for seed in seeds)
    figures = zip(config.head_spread, config.head_rate, axes, strict=True)
    head = [sample_sway(num_frames, math.radians(spread), rate, axis) for spread, rate, axis in figures]
    starts = sample_blinks(num_frames, blinks, config)
    gazes = sample_gaze(num_frames, gaze, config)
    return IdleMotion(lid_closure(num_frames, starts), torch.stack(head, 1), gazes, starts)


def sample_blinks(num_frames: int, generator: torch.Generator, config: IdleConfig) -> list[int]:
    """Sample the first frames of blinks, which may lie before the first frame: log-normal intervals."""
    starts: list[int] = []
    if config.blink_rate <= 0:
        return starts
    # The mean of a log-normal distribution is exp(mu + spread^2 / 2).
    center = math.log(1 / config.blink_rate) - config.interval_spread**2 / 2
    time = torch.rand((), generator=generator).item() / config.blink_rate
    while (first := round(time * FPS) - _PEAK) < num_frames:
        starts.append(first)
        interval = math.exp(center + config.interval_spread * torch.randn((), generator=generator).item())
        time += max(interval, config.min_interval_s)
    return starts


def lid_closure(num_frames: int, blinks: Sequence[int]) -> Float[Tensor, " frames"]:
    """Return how far the lids are closed: the measured shape at each blink.

    Args:
        num_frames: at 30 fps.
        blinks: first frame of each.
    """
    closure = torch.zeros(num_frames + len(BLINK_SHAPE))
    shape = torch.tensor(BLINK_SHAPE)
    for first in blinks:
        part = shape[max(0, -first) :]
        place = slice(max(0, first), max(0, first) + len(part))
        closure[place] = torch.maximum(closure[place], part)
    return closure[:num_frames]


def blink_events(blinks: Sequence[int]) -> Iterator[Event]:
    """Yield when the lids move, from fully open to nearly so: the last frames of `BLINK_SHAPE` are hardly visible."""
    for first in blinks:
        if first + _LENGTH > 0:
            yield Event("blink", max(0, first) / FPS, (first + _LENGTH) / FPS)


def sample_sway(num_frames: int, spread: float, rate: float, generator: torch.Generator) -> Float[Tensor, " frames"]:
    """Sample a smooth random process around zero: white noise through a critically damped spring.

    Its spectrum is 1 / (rate^2 + omega^2)^2. The state, angle and speed in units of their standard deviations, goes
    from frame to frame by the exact solution of the spring's equation, and starts in its stationary distribution.

    Args:
        num_frames: at 30 fps.
        spread: standard deviation of the result.
        rate: standard deviation of its speed over that of itself, 1/s.
        generator: source of the noise.
    """
    step = rate / FPS
    decay = math.exp(-step)
    a, b, c, d = decay * (1 + step), decay * step, -decay * step, decay * (1 - step)
    # The noise has the covariance I - A A^T, with A = [[a, b], [c, d]], which keeps that of the state at I. This is its
    # Cholesky factor.
    to_angle = math.sqrt(1 - a * a - b * b)
    shared = -(a * c + b * d) / to_angle
    to_speed = math.sqrt(1 - c * c - d * d - shared * shared)
    angle, speed = torch.randn(2, generator=generator, dtype=torch.float64).tolist()
    parts = [torch.empty(0)]
    for block in _normal_blocks(num_frames, 2, generator):
        angles = []
        for first, second in block.tolist():
            angles.append(angle)
            angle, speed = (
                a * angle + b * speed + to_angle * first,
                c * angle + d * speed + shared * first + to_speed * second,
            )
        parts.append((spread * torch.tensor(angles, dtype=torch.float64)).float())
    return torch.cat(parts)


def sample_gaze(num_frames: int, generator: torch.Generator, config: IdleConfig) -> Float[Tensor, "frames 2"]:
    """Sample directions of gaze that stay for a while and jump within two frames."""
    spread = torch.tensor(config.gaze_spread).deg2rad()
    start = torch.randn(1, 2, generator=generator, dtype=torch.float64)
    pitch, yaw, trial = torch.cat(list(_normal_blocks(num_frames, 3, generator))).unbind(1)
    # A standard normal is below this threshold with the probability of a glance in one frame.
    rate = torch.tensor(1 / (config.fixation_s * FPS), dtype=torch.float64)
    jumps = trial < torch.special.ndtri(rate)
    last = jumps.cumsum(0)
    targets = torch.cat([start, torch.stack([pitch, yaw], 1)[jumps]])
    held = targets[last]
    before = torch.cat([held[:1], held[:-1]])
    return ((held + before) / 2).float() * spread


def _normal_blocks(num_frames: int, width: int, generator: torch.Generator) -> Iterator[Float[Tensor, "frames width"]]:
    """Sample standard normals of which fewer frames are the beginning of more, block by block."""
    for start in range(0, num_frames, BLOCK_FRAMES):
        block = torch.randn(BLOCK_FRAMES, width, generator=generator, dtype=torch.float64)
        yield block[: num_frames - start]
