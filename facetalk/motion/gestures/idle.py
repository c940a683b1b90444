"""Idle motion: blinks, small head movements and glances, from statistics of real speakers.

The figures were measured on MediaPipe landmarks of talking clips that are longer than 4.5 s and show a face in 98 % of
the frames (9.4 minutes, 287 blinks).

What happens in a frame depends only on the generator and the number of the frame: a longer recording begins as a
shorter one does. So blinks, head and gaze have a generator each, and every random process runs forward in time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.core.timing import FPS
from facetalk.io.audio import Waveform
from facetalk.motion.gestures.blinks import BlinkConfig, BlinkProcess, sample_blinks
from facetalk.motion.gestures.gaze import Gaze, GlanceCourse, evoked_blinks, glances, sample_fixations
from facetalk.motion.gestures.performance import Performance, breaths, looped_breath, perform
from facetalk.motion.gestures.random_processes import Course, sample_loop, sway


@dataclass(frozen=True)
class IdleConfig:
    """Measured figures; angles in degrees, in the order yaw, pitch, roll."""

    blinks: BlinkConfig = field(default_factory=BlinkConfig)
    head_spread: tuple[float, float, float] = (1.2, 1.5, 0.9)
    """Standard deviation within a clip: the lower quartile over the clips."""
    head_rate: tuple[float, float, float] = (3.7, 4.3, 3.0)
    """Standard deviation of the angular speed over that of the angle, 1/s: median over the clips."""


LOOPED = replace(IdleConfig(), head_spread=(0.9, 0.8, 0.5), head_rate=(1.2, 1.4, 1.0))
"""Of a head that does not talk: it moves less and more slowly. A choice."""


@dataclass(frozen=True)
class Idle:
    """Blinks, sways the head and moves the eyes, independently of the speech."""

    head_motion: float = 1.0
    """Multiplies how far the head moves; 0 for not at all."""
    blinks: float = 1.0
    """Multiplies how often the eyes blink; 0 for never."""
    gaze: Gaze = field(default_factory=Gaze)
    config: IdleConfig = field(default_factory=IdleConfig)

    def add(
        self, motion: Motion, waveform: Waveform | None, generator: torch.Generator, in_place: bool = False
    ) -> Motion:
        """Return the motion with blinks, head movements and glances; see `Gesture.add`."""
        if motion.fps != FPS:
            raise ValueError(f"idle motion is made for {FPS:g} fps, the motion has {motion.fps:g}")
        return self.start(generator).add(motion, None, in_place)

    def start(self, generator: torch.Generator) -> IdleStream:
        """See `StreamedGesture.start`."""
        return IdleStream(self, generator)

    def loop(self, motion: Motion, generator: torch.Generator) -> Motion:
        """Return a resting motion with movements whose end joins their beginning."""
        config = replace(LOOPED, blinks=scaled_rate(LOOPED.blinks, self.blinks))
        idle = sample_idle_loop(motion.num_frames, generator, config, self.gaze)
        return perform(motion, idle, self.head_motion, self.blinks, self.gaze)


class IdleStream:
    """The idle motion of a recording that comes piece by piece."""

    def __init__(self, idle: Idle, generator: torch.Generator) -> None:
        config = replace(idle.config, blinks=scaled_rate(idle.config.blinks, idle.blinks))
        self._idle, self._course = idle, IdleCourse(generator, config, idle.gaze)

    def add(self, motion: Motion, samples: Tensor | None, in_place: bool = False) -> Motion:
        """See `GestureStream.add` and `Gesture.add`."""
        if motion.num_frames == 0:
            return motion
        moves = self._course.take(motion.num_frames)
        return perform(motion, moves, self._idle.head_motion, self._idle.blinks, self._idle.gaze, in_place)


def scaled_rate(config: BlinkConfig, factor: float) -> BlinkConfig:
    """The statistics with blinks that are so many times as frequent."""
    return replace(config, rate=config.rate * factor)


def sample_idle(
    num_frames: int,
    generator: torch.Generator,
    config: IdleConfig | None = None,
    gaze: Gaze | None = None,
) -> Performance:
    """Sample idle motion at 30 fps.

    Args:
        num_frames: how many frames; fewer give the beginning of more.
        generator: its state decides everything, and moves on by the same amount for any number of frames.
        config: the statistics.
        gaze: where the eyes look.
    """
    return IdleCourse(generator, config or IdleConfig(), gaze or Gaze()).take(num_frames)


class IdleCourse:
    """Idle motion without end, taken as it is needed; see `sample_idle`."""

    def __init__(self, generator: torch.Generator, config: IdleConfig, gaze: Gaze) -> None:
        blinks, looking, breath, *axes = generators(generator, 6)
        figures = zip(config.head_spread, config.head_rate, axes, strict=True)
        self._head = [Course(sway(math.radians(spread), rate, axis)) for spread, rate, axis in figures]
        self._blinks, self._breath = BlinkProcess(blinks, config.blinks), Course(breaths(breath))
        self._glances = GlanceCourse(looking, gaze)

    def take(self, num_frames: int) -> Performance:
        """The movements in the next frames."""
        away, evoked = self._glances.take(num_frames)
        return Performance(
            torch.stack([axis.take(num_frames) for axis in self._head], 1),
            self._blinks.take(num_frames, evoked=evoked),
            away,
            self._breath.take(num_frames),
        )


def sample_idle_loop(
    num_frames: int, generator: torch.Generator, config: IdleConfig, gaze: Gaze | None = None
) -> Performance:
    """Sample idle motion whose end joins its beginning; see `sample_idle`."""
    gaze = gaze or Gaze()
    blinks, looking, _, *axes = generators(generator, 6)
    figures = zip(config.head_spread, config.head_rate, axes, strict=True)
    head = [sample_loop(num_frames, math.radians(spread), rate, axis) for spread, rate, axis in figures]
    seconds = num_frames / FPS
    fixations = sample_fixations(seconds, looking, gaze.eye_contact)
    # The eyes are back in time for a saccade to the first fixation.
    back = fixations[0]._replace(start_s=max(0.0, seconds - 0.25))
    fixations = [fixation for fixation in fixations if fixation.start_s < back.start_s] + [back]
    evoked = evoked_blinks(num_frames, fixations, gaze.amount)
    return Performance(
        torch.stack(head, 1),
        sample_blinks(num_frames, blinks, config.blinks, evoked=evoked),
        glances(num_frames, fixations),
        looped_breath(num_frames),
        loop=True,
    )


def generators(generator: torch.Generator, count: int) -> list[torch.Generator]:
    """Independent sources of random choices."""
    seeds = torch.randint(2**62, (count,), generator=generator).tolist()
    return [torch.Generator().manual_seed(seed) for seed in seeds]
