"""Blinks: when the lids close, how far and how fast."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.events import Event
from facetalk.core.timing import FPS
from facetalk.motion.gestures.random_processes import normal_blocks

BLINK_SHAPE = (0.0, 0.06, 0.32, 0.78, 1.0, 0.81, 0.51, 0.31, 0.18, 0.13, 0.09, 0.07, 0.04, 0.02, 0.0)
"""How far the lids are closed, a row per frame at 30 fps: median over measured blinks, aligned at their peak."""

_PEAK = BLINK_SHAPE.index(1.0)
_OPENED = next(frame for frame, closed in enumerate(BLINK_SHAPE) if frame > _PEAK and closed < 0.1) - _PEAK
"""Frames from the peak until the lids are open again."""

SHORTEST, LONGEST = 0.4, 1.2
"""Of the factors on the length of `BLINK_SHAPE`: 0.13 to 0.4 s until the lids are open again (Caffier et al. 2003 found
0.1 to 0.4 s)."""


@dataclass(frozen=True)
class BlinkConfig:
    """How often the eyes blink, and how."""

    rate: float = 0.3
    """Blinks per second: 18 a minute, between rest with 17 and conversation with 26 (Bentivoglio et al. 1997)."""
    interval_spread: float = 0.6
    """Standard deviation of the natural logarithm of the time between blinks; 0.74 was measured over all speakers."""
    min_interval_s: float = 0.45
    length_spread: float = 0.18
    """Standard deviation of the logarithm of a blink's length."""
    usual_length: float = 1.0
    """Median factor on the length of `BLINK_SHAPE`."""
    partial_share: float = 0.12
    """Share of the blinks in which the lids do not meet."""
    side_spread: float = 0.06
    """How much less one of the two lids closes in the mean."""


class Blink(NamedTuple):
    """One blink."""

    peak: int
    """Frame in which the lids are closed most."""
    length: float
    """Factor on the length of `BLINK_SHAPE`."""
    depth: tuple[float, float]
    """Largest closure of the left and the right lid."""

    @property
    def first(self) -> int:
        """Frame in which it begins."""
        return self.peak - math.ceil(_PEAK * self.length)

    @property
    def last(self) -> int:
        """Frame in which it ends."""
        return self.peak + math.ceil((len(BLINK_SHAPE) - _PEAK) * self.length)


def sample_blinks(
    num_frames: int,
    generator: torch.Generator,
    config: BlinkConfig | None = None,
    urge: Float[Tensor, " frames"] | None = None,
    evoked: Float[Tensor, " frames"] | None = None,
) -> list[Blink]:
    """Sample blinks in whose peak a frame falls, and those that begin before the end.

    Args:
        num_frames: at 30 fps.
        generator: source of all choices; a longer recording begins as a shorter one.
        config: the statistics.
        urge: how much more likely a blink is in each frame than usual; 1 everywhere if omitted. It has an effect after
            it is known, so a blink closes the lids from that frame on.
        evoked: probability in each frame of a blink that comes with a movement of the eyes, see
            `gaze.evoked_blinks`; 0 everywhere if omitted.
    """
    return BlinkProcess(generator, config).take(num_frames, urge, evoked)


class BlinkProcess:
    """Blinks, one after the other.

    The time since the last blink decides how likely the next one is in each frame: a renewal process with log-normal
    intervals. The urge multiplies this probability.
    """

    def __init__(self, generator: torch.Generator, config: BlinkConfig | None = None) -> None:
        self._config = config = config or BlinkConfig()
        self._frame = 0
        self._shown: list[Blink] = []
        """Those that may go on."""
        if config.rate <= 0:
            return
        # The mean of a log-normal distribution is exp(mu + spread^2 / 2).
        self._center = math.log(1 / config.rate) - config.interval_spread**2 / 2
        start = torch.randn((), generator=generator, dtype=torch.float64)
        self._waited = float(torch.special.ndtr(start)) / config.rate
        self._normals = (row for block in normal_blocks(4, generator) for row in block.tolist())

    def take(
        self,
        num_frames: int,
        urge: Float[Tensor, " frames"] | None = None,
        evoked: Float[Tensor, " frames"] | None = None,
    ) -> list[Blink]:
        """The blinks that move the lids in the next frames, whose peaks count from the first of these.

        Args:
            num_frames: at 30 fps.
            urge: see `sample_blinks`.
            evoked: see `sample_blinks`.
        """
        first = self._frame
        if self._config.rate > 0:
            urges = [1.0] * num_frames if urge is None else urge.tolist()
            prompts = [0.0] * num_frames if evoked is None else evoked.tolist()
            for factor, prompt in zip(urges, prompts, strict=True):
                self._step(factor, prompt)
        going = [blink for blink in self._shown if blink.last >= first]
        self._shown = [blink for blink in going if blink.last >= self._frame]
        return [blink._replace(peak=blink.peak - first) for blink in going]

    def _step(self, urge: float, prompt: float) -> None:
        """Go on by a frame."""
        trial, length, depth, side = next(self._normals)
        self._waited += 1 / FPS
        hazard = log_normal_hazard(self._waited, self._center, self._config.interval_spread) / FPS * urge
        if self._waited >= self._config.min_interval_s and _uniform(trial) < 1 - (1 - prompt) * math.exp(-hazard):
            self._shown.append(_blink(self._frame, length, depth, side, self._config))
            self._waited = 0.0
        self._frame += 1


def log_normal_hazard(waited: float, center: float, spread: float) -> float:
    """Events per second after a time without one, for log-normal intervals."""
    return _normal_hazard((math.log(waited) - center) / spread) / (waited * spread)


def _normal_hazard(z: float) -> float:
    """Density over survival of the standard normal distribution."""
    if z < 30:
        return math.sqrt(2 / math.pi) * math.exp(-z * z / 2) / math.erfc(z / math.sqrt(2))
    # Both vanish when an event is long overdue; their ratio does not (Abramowitz and Stegun 1964, equation 7.1.23).
    return z / (1 - 1 / z**2 + 3 / z**4 - 15 / z**6 + 105 / z**8)


def _blink(frame: int, length: float, depth: float, side: float, config: BlinkConfig) -> Blink:
    """A blink that begins in a frame."""
    factor = min(LONGEST, max(SHORTEST, config.usual_length * math.exp(config.length_spread * length)))
    share = _uniform(depth)
    most = 1.0 if share >= config.partial_share else 0.6 + 0.35 * share / config.partial_share
    less = most * (1 - min(0.2, config.side_spread * abs(side)))
    return Blink(frame + math.ceil(_PEAK * factor), factor, (most, less) if side > 0 else (less, most))


def _uniform(normal: float) -> float:
    return math.erfc(-normal / math.sqrt(2)) / 2


def lid_closure(num_frames: int, blinks: Sequence[Blink], loop: bool = False) -> Float[Tensor, "frames 2"]:
    """How far the left and the right lid are closed.

    Args:
        num_frames: at 30 fps.
        blinks: see `sample_blinks`.
        loop: whether a blink at the end goes on at the beginning.
    """
    closure = torch.zeros(num_frames, 2)
    for blink in blinks:
        frames = torch.arange(blink.first, blink.last + 1)
        shape = shape_at((frames - blink.peak) / blink.length)
        rows = shape[:, None] * torch.tensor(blink.depth)
        frames, rows = (frames % num_frames, rows) if loop else within(frames, rows, num_frames)
        closure[frames] = torch.maximum(closure[frames], rows)
    return closure


def within(frames: Tensor, rows: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
    """Those frames, with their rows, that exist."""
    inside = (frames >= 0) & (frames < num_frames)
    return frames[inside], rows[inside]


def shape_at(offsets: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """`BLINK_SHAPE` at frames relative to its peak, linear in between."""
    shape = torch.tensor((*BLINK_SHAPE, 0.0))
    place = (offsets + _PEAK).clamp(0, len(BLINK_SHAPE) - 1)
    left = place.long()
    return torch.lerp(shape[left], shape[left + 1], place - left)


def blink_events(blinks: Sequence[Blink]) -> Iterator[Event]:
    """Yield when the lids move, from fully open to nearly so: the end of `BLINK_SHAPE` is hardly visible."""
    for blink in blinks:
        first, last = blink.peak - _PEAK * blink.length, blink.peak + _OPENED * blink.length
        if last > 0:
            yield Event("blink", max(0.0, first) / FPS, last / FPS)
