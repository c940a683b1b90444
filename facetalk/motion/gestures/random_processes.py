"""Random processes that run forward in time: fewer frames are the beginning of more.

Random numbers are drawn in blocks of a fixed size, because `torch.randn` gives other values for another size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import FPS

BLOCK_FRAMES = 256
"""Random numbers are drawn for this many frames at a time."""


class Course:
    """A process without end, whose rows are taken as they are needed."""

    def __init__(self, blocks: Iterator[Float[Tensor, "_ *width"]]) -> None:
        self._blocks = blocks
        self._held: Tensor | None = None

    def take(self, num_frames: int) -> Float[Tensor, "frames *width"]:
        """The next rows."""
        parts = [next(self._blocks) if self._held is None else self._held]
        while sum(map(len, parts)) < num_frames:
            parts.append(next(self._blocks))
        rows = torch.cat(parts)
        self._held = rows[num_frames:].clone()  # a view would hold on to all rows
        return rows[:num_frames]


def sway(spread: float, rate: float, generator: torch.Generator) -> Iterator[Float[Tensor, " frames"]]:
    """Yield a smooth random process around zero in blocks: white noise through a critically damped spring.

    Its spectrum is 1 / (rate^2 + omega^2)^2. The state, angle and speed in units of their standard deviations, goes
    from frame to frame by the exact solution of the spring's equation, and starts in its stationary distribution.

    Args:
        spread: standard deviation.
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
    for block in normal_blocks(2, generator):
        angles = []
        for first, second in block.tolist():
            angles.append(angle)
            angle, speed = (
                a * angle + b * speed + to_angle * first,
                c * angle + d * speed + shared * first + to_speed * second,
            )
        yield (spread * torch.tensor(angles, dtype=torch.float64)).float()


def sample_loop(num_frames: int, spread: float, rate: float, generator: torch.Generator) -> Float[Tensor, " frames"]:
    """Sample a process with the spectrum of `sway` that ends where it begins: a sum of waves of its length.

    Args:
        num_frames: at 30 fps; frame `num_frames` would be frame 0 again.
        spread: expected standard deviation.
        rate: see `sway`.
        generator: source of amplitudes and phases.
    """
    omega = 2 * math.pi * torch.fft.rfftfreq(num_frames, 1 / FPS, dtype=torch.float64)
    level = (rate / (rate * rate + omega * omega)).clone()
    level[0] = 0.0  # the loop stays around zero
    phases = torch.randn(2, len(omega), generator=generator, dtype=torch.float64)
    waves = torch.fft.irfft(torch.complex(*(level * phases)), num_frames)
    # irfft divides by the length, and all waves but the last appear twice.
    usual = (2 * level.square()).sum().mul(2).sqrt() / num_frames
    return (spread * waves / usual.clamp_min(1e-12)).float()


def normal_blocks(width: int, generator: torch.Generator) -> Iterator[Float[Tensor, "frames width"]]:
    """Sample standard normals without end, block by block."""
    while True:
        yield torch.randn(BLOCK_FRAMES, width, generator=generator, dtype=torch.float64)
