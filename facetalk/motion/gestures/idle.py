"""What a face does without being told: blinks, small head movements, glances. Statistics, not yet a network.

The figures were measured on MediaPipe landmarks of the clips of `../shared/data/video` that are longer than 4.5 s and
show a face in 98 % of the frames (9.4 minutes, 287 blinks; `lrwar` and the syllables of `mcgurk` left out).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import FPS
from facetalk.core.types import Motion
from facetalk.head.channels import GAZE_NAMES, indices
from facetalk.head.gaze import gaze_pose, gaze_to_channels
from facetalk.networks.styletalk import BLINK_NAMES

BLINK_SHAPE = (0.0, 0.06, 0.32, 0.78, 1.0, 0.81, 0.51, 0.31, 0.18, 0.13, 0.09, 0.07, 0.04, 0.02, 0.0)
"""How far the lids are closed, a row per frame at 30 fps: median over the measured blinks, aligned at their peak."""

_PEAK = BLINK_SHAPE.index(1.0)


@dataclass(frozen=True)
class IdleConfig:
    """Measured figures; angles in degrees, in the order pitch, yaw, roll."""

    blink_rate: float = 0.33
    """A second. Speakers in interviews blinked 0.51 times; 0.2 to 0.4 is usual when nobody asks."""
    interval_spread: float = 0.74
    """Standard deviation of the natural logarithm of the time between blinks."""
    shortest_interval_s: float = 0.45
    head_spread: tuple[float, float, float] = (1.5, 1.2, 0.9)
    """Standard deviation within a clip: the calmest quarter of the clips is at or below this."""
    head_rate: tuple[float, float, float] = (4.3, 3.7, 3.0)
    """Standard deviation of the angular speed over that of the angle, 1/s: median."""
    fixation_s: float = 0.9
    """Mean time between two glances."""
    gaze_spread: tuple[float, float] = (1.2, 2.0)
    """Of the glances' directions: pitch, yaw. A choice: the tracker's noise is of this size."""


class IdleMotion(NamedTuple):
    """Movements that are added to a talking face."""

    blink: Float[Tensor, " frames"]
    """0 open, 1 closed."""
    head: Float[Tensor, "frames 3"]
    """Axis-angle of the neck, radians."""
    gaze: Float[Tensor, "frames 2"]
    """Pitch (down) and yaw (to the subject's left) of both eyes, radians."""


def draw_idle(num_frames: int, chance: torch.Generator, config: IdleConfig | None = None) -> IdleMotion:
    """Idle movements at 30 fps; the same state of `chance` gives the same ones."""
    config = config or IdleConfig()
    blink = draw_blinks(num_frames, chance, config)
    head = torch.stack(
        [
            draw_sway(num_frames, math.radians(spread), rate, chance)
            for spread, rate in zip(config.head_spread, config.head_rate, strict=True)
        ],
        1,
    )
    return IdleMotion(blink, head, draw_glances(num_frames, chance, config))


def add_idle(
    motion: Motion,
    chance: torch.Generator,
    blinks: float = 1.0,
    head_motion: float = 1.0,
    config: IdleConfig | None = None,
) -> Motion:
    """The motion with blinks, head movements and glances on top.

    Args:
        motion: at 30 fps, with the ARKit channels.
        chance: decides when and where.
        blinks: multiplies how often the eyes blink; 0 for never.
        head_motion: multiplies how far head and eyes move; 0 for not at all.
        config: the statistics.
    """
    if motion.fps != FPS:
        raise ValueError(f"idle movements are made for {FPS:g} fps, the motion has {motion.fps:g}")
    config = config or IdleConfig()
    idle = draw_idle(motion.num_frames, chance, _with_rate(config, blinks))
    head = head_motion * idle.head
    # The eyes stay on the viewer while the head moves, apart from the glances.
    pitch, yaw = (head_motion * idle.gaze - head[:, :2]).unbind(1)
    pose = gaze_pose(yaw, pitch)
    leye_pose, reye_pose = motion.leye_pose + pose, motion.reye_pose + pose
    expression = motion.expression.clone()
    columns = indices(BLINK_NAMES, motion.expression_names)
    if blinks > 0:
        # A blink closes what is still open, so that half-closed lids do not close twice.
        expression[:, columns] += idle.blink[:, None] * (1 - expression[:, columns])
    if head_motion > 0:
        expression[:, indices(GAZE_NAMES, motion.expression_names)] = gaze_to_channels(leye_pose, reye_pose)
    return motion.replace(
        expression=expression, neck_pose=motion.neck_pose + head, leye_pose=leye_pose, reye_pose=reye_pose
    )


def draw_blinks(num_frames: int, chance: torch.Generator, config: IdleConfig) -> Float[Tensor, " frames"]:
    """Closure of the lids over time: the measured shape at random moments."""
    closure = torch.zeros(num_frames + len(BLINK_SHAPE))
    shape = torch.tensor(BLINK_SHAPE)
    if config.blink_rate <= 0:
        return closure[:num_frames]
    spread = config.interval_spread
    # The mean of a log-normal is exp(mu + spread^2 / 2).
    centre = math.log(1 / config.blink_rate) - spread**2 / 2
    time = torch.rand((), generator=chance).item() / config.blink_rate
    while (first := round(time * FPS)) < num_frames:
        start = first - _PEAK
        part = shape[max(0, -start) :]
        place = slice(max(0, start), max(0, start) + len(part))
        closure[place] = torch.maximum(closure[place], part)
        interval = math.exp(centre + spread * torch.randn((), generator=chance).item())
        time += max(interval, config.shortest_interval_s)
    return closure[:num_frames]


def draw_sway(num_frames: int, spread: float, rate: float, chance: torch.Generator) -> Float[Tensor, " frames"]:
    """A smooth random walk around zero: white noise through a critically damped spring.

    Its spectrum is 1 / (rate^2 + omega^2)^2, its standard deviation `spread`, that of its speed `rate * spread` per
    second.
    """
    length = 2 ** math.ceil(math.log2(num_frames + 10 * FPS))  # longer than wanted, because the result is periodic
    omega = 2 * math.pi * torch.fft.rfftfreq(length, 1 / FPS)
    amplitude = 1 / (rate**2 + omega**2)
    noise = torch.fft.rfft(torch.randn(length, generator=chance))
    power = (amplitude[1:].square().sum() * 2 - amplitude[-1].square() + amplitude[0].square()) / length
    return torch.fft.irfft(noise * amplitude / power.sqrt() * spread, length)[:num_frames]


def draw_glances(num_frames: int, chance: torch.Generator, config: IdleConfig) -> Float[Tensor, "frames 2"]:
    """Directions of gaze that stay for a while and jump within two frames."""
    jumps = torch.rand(num_frames, generator=chance) < 1 / (config.fixation_s * FPS)
    targets = torch.randn(num_frames + 1, 2, generator=chance) * torch.tensor(config.gaze_spread).deg2rad()
    held = targets[jumps.cumsum(0)]
    before = torch.cat([held[:1], held[:-1]])
    return (held + before) / 2


def _with_rate(config: IdleConfig, blinks: float) -> IdleConfig:
    return replace(config, blink_rate=config.blink_rate * blinks)
