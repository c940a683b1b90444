"""FACIAL: head, brows and blinks that follow from the speech (Zhang et al. 2021), and the gaze that goes with them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.delivery import DELIVERY, DeliveryStream, delivery
from facetalk.core.errors import FacetalkError
from facetalk.core.filters import all_pole
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS
from facetalk.head.behavior import PARTS, STATES, WINDOW
from facetalk.io.audio import Waveform
from facetalk.motion.gestures.blinks import BlinkConfig, BlinkProcess
from facetalk.motion.gestures.gaze import Gaze, GlanceCourse
from facetalk.motion.gestures.idle import generators, scaled_rate
from facetalk.motion.gestures.performance import Performance, breaths, perform
from facetalk.motion.gestures.random_processes import Course
from facetalk.networks.facial import FacialNetwork, StateCourse
from facetalk.networks.registry import load

LEAST_SCALE, LARGEST_SCALE = 0.5, 2.0
"""Of how far the head of a recording moves, relative to a median speaker: each has its own liveliness."""

QUICKENING, FADE_S = 0.8, 1.0
"""By how much faster the head moves for stress of one neper or octave, and how soon what this adds is gone.

On the training clips the speed of the head correlates with stress (0.08 with a standard error of 0.01), and its pitch
does not (-0.02 with 0.016). The network alone follows stress no more closely than chance: this is a rule."""
CALMING = 0.23
"""By how much slower the head moves in pauses. In the pauses of 56 training clips real heads move at 0.71 of their
speed in speech (standard error 0.05); generated ones at 0.89 without this rule, and at 0.70 with it."""
MOST_STRESS, USUAL_STRESS = 1.5, 0.44
"""Limit of the stress, and its mean in speech."""
LARGEST_STEP = 4.0
"""Of an angle of the head in a frame, degrees: 120 degrees a second, as fast as those of lively clips."""

REST, RESTING_S = 0.25, 1.5
"""How much of its movement a face keeps that has nothing to say, and how soon it comes to rest and to life. A choice:
clips show speakers, whose longest pauses last a second."""
BROW_FRAMES = 2.0
"""Time constant of the two filters that take the tracker's flicker out of the brows."""

MOST_LIDS = 0.12
"""By how much the lids sink or rise between blinks, however lively a head is: half-closed eyes look tired. A choice."""
_LIDS = tuple(PARTS).index("lids")

_BLOCK = 32 * (WINDOW - 1)
"""Frames for which behavior is sampled at a time, a whole number of the network's windows: at once, an hour would take
60 MB."""

URGES = (0.6, 2.5)
"""Of what the network says about blinks, relative to its mean."""
AT_PHRASE_END = 1.5
"""By how much more likely a blink is when a phrase has just ended. A choice: on the training clips 0.2 was measured,
with ends that are found a fifth of a second late."""
USUAL_URGE = 1.35
"""Divides the product of both, so that seven minutes of speech have as many blinks as the network's rate says."""


@dataclass(frozen=True)
class Facial:
    """Moves head and brows and blinks as a speaker would who says this."""

    head_motion: float = 1.0
    """Multiplies how far head and brows move; 0 for not at all."""
    blinks: float = 1.0
    """Multiplies how often the eyes blink; 0 for never."""
    gaze: Gaze = field(default_factory=Gaze)
    name: str | Path = ""
    """The bundled weights if empty, or a folder that `facetalk train facial` wrote."""

    def __post_init__(self) -> None:
        _network(self.name)  # so that unusable weights are found before a long recording has been worked on

    def add(
        self, motion: Motion, waveform: Waveform | None, generator: torch.Generator, in_place: bool = False
    ) -> Motion:
        """Return the motion with head movements, blinks and glances; see `Gesture.add`."""
        if motion.fps != FPS:
            raise ValueError(f"gestures are made for {FPS:g} fps, the motion has {motion.fps:g}")
        features = heard(waveform, motion.num_frames)
        course = BehaviorCourse(_network(self.name), generator, self.blinks, self.gaze)
        behavior = (course.take(block) for block in features.split(_BLOCK))
        return perform(motion, behavior, self.head_motion, self.blinks, self.gaze, in_place)

    def start(self, generator: torch.Generator) -> FacialStream:
        """See `StreamedGesture.start`."""
        return FacialStream(self, BehaviorCourse(_network(self.name), generator, self.blinks, self.gaze))


class FacialStream:
    """The behavior of a speaker whose speech comes piece by piece."""

    def __init__(self, facial: Facial, course: BehaviorCourse) -> None:
        self._facial, self._course = facial, course
        self._delivery = DeliveryStream()

    def add(self, motion: Motion, samples: Float[Tensor, " samples"] | None) -> Motion:
        """See `GestureStream.add`."""
        if samples is not None:
            self._delivery.feed(samples)
        if motion.num_frames == 0:
            return motion
        behavior = self._course.take(self._delivery.take(motion.num_frames))
        return perform(motion, behavior, self._facial.head_motion, self._facial.blinks, self._facial.gaze)


def heard(waveform: Waveform | None, num_frames: int) -> Float[Tensor, "frames features"]:
    """Features of the speech for each frame of a motion; those of silence where there is no audio."""
    if waveform is None:
        waveform = torch.zeros(round(num_frames / FPS * 16_000))
    features = delivery(waveform)[:num_frames]
    missing = num_frames - len(features)
    return features if not missing else torch.cat([features, features[-1:].expand(missing, len(DELIVERY))])


def sample_behavior(
    network: FacialNetwork,
    features: Float[Tensor, "frames features"],
    generator: torch.Generator,
    blinks: float = 1.0,
    gaze: Gaze | None = None,
) -> Performance:
    """Sample the behavior of a speaker; the beginning of a longer recording is that of a shorter one.

    Args:
        network: the generator's network.
        features: of the speech.
        generator: its state decides everything, and moves on by the same amount for any length.
        blinks: multiplies how often the eyes blink.
        gaze: where the eyes look.

    Raises:
        FacetalkError: the weights are no trained ones.
    """
    return BehaviorCourse(network, generator, blinks, gaze).take(features)


class BehaviorCourse:
    """Behavior for speech that comes piece by piece; arguments are those of `sample_behavior`."""

    def __init__(
        self, network: FacialNetwork, generator: torch.Generator, blinks: float = 1.0, gaze: Gaze | None = None
    ) -> None:
        noise, blinking, looking, breath, liveliness = generators(generator, 5)
        self._network, self._states = network, StateCourse(network, noise)
        scale = (network.liveliness * torch.randn((), generator=liveliness)).exp()
        self._scale = scale.clamp(LEAST_SCALE, LARGEST_SCALE)
        self._quickening, self._presence = Quickening(), LowPass(RESTING_S * FPS)
        self._brows = LowPass(BROW_FRAMES, poles=2)
        self._blinks = BlinkProcess(blinking, scaled_rate(BlinkConfig(rate=float(network.blink_rate)), blinks))
        self._glances = GlanceCourse(looking, gaze or Gaze())
        self._breath = Course(breaths(breath))

    @torch.no_grad()
    def take(self, features: Float[Tensor, "frames features"]) -> Performance:
        """The movements in the next frames, of which these are the features."""
        network, count = self._network, len(features)
        states = self._states.feed(features)
        if not bool(states.isfinite().all()):
            raise FacetalkError(
                "the weights of the gestures give numbers that are not finite; train or fetch them again"
            )
        moving = (states - network.usual) / network.usual_spread * network.spread
        present = REST + (1 - REST) * self._presence.feed(features[:, [DELIVERY.index("speaking")]])
        pose, parts = self._scale * present * moving[:, STATES["pose"]], moving[:, STATES["expression"]].clone()
        parts[:, :_LIDS] = self._brows.feed(self._scale * present * parts[:, :_LIDS])
        parts[:, _LIDS] = MOST_LIDS * (parts[:, _LIDS] / MOST_LIDS).tanh()
        away, evoked = self._glances.take(count)
        return Performance(
            self._quickening.feed(pose, features).deg2rad(),
            self._blinks.take(count, blink_urge(network, features, states), evoked),
            away,
            self._breath.take(count),
            parts,
        )


def blink_urge(
    network: FacialNetwork,
    features: Float[Tensor, "frames features"],
    states: Float[Tensor, "frames states"],
) -> Float[Tensor, " frames"]:
    """How much more likely a blink is in each frame than usual.

    Args:
        network: knows what it predicts in the mean.
        features: of the speech, which tell when a phrase has ended.
        states: that the network predicts.
    """
    closing = states[:, STATES["blink"]][:, 0]
    learned = (closing.clamp_min(0) / network.usual_closing.clamp_min(1e-3)).clamp(*URGES)
    ended = features[:, DELIVERY.index("since_end")]
    return learned * (1 + AT_PHRASE_END * ended) / USUAL_URGE


class Quickening:
    """Gives the movement of a head larger steps where the speech is stressed, and smaller ones elsewhere and in pauses.

    No step is larger than heads make. What is changed fades, so that the head stays where it was.
    """

    def __init__(self) -> None:
        self._before: Tensor | None = None
        self._memory: np.ndarray | None = None

    def feed(
        self, angles: Float[Tensor, "frames 3"], features: Float[Tensor, "frames features"]
    ) -> Float[Tensor, "frames 3"]:
        """The next angles, changed.

        Args:
            angles: over time.
            features: of the speech.
        """
        before = angles[:1] if self._before is None else self._before
        self._before = angles[-1:]
        steps = angles.double().diff(dim=0, prepend=before.double())
        wanted = ((1 + _step_gain(features)[:, None].double()) * steps).clamp(-LARGEST_STEP, LARGEST_STEP)
        change = (wanted - steps).numpy()
        added, self._memory = all_pole(change, 1.0, [-math.exp(-1 / (FADE_S * FPS))], self._memory)
        return angles + torch.from_numpy(added).to(angles)


class LowPass:
    """Slow part of rows that come piece by piece, from 0 on."""

    def __init__(self, frames: float, poles: int = 1) -> None:
        """Set the filter.

        Args:
            frames: time constant of each pole.
            poles: one or two.
        """
        decay = math.exp(-1 / frames)
        self._gain, self._feedback = (1 - decay) ** poles, [-decay] if poles == 1 else [-2 * decay, decay**2]
        self._memory: np.ndarray | None = None

    def feed(self, rows: Float[Tensor, "frames width"]) -> Float[Tensor, "frames width"]:
        """The next rows, filtered."""
        found, self._memory = all_pole(rows.double().numpy(), self._gain, self._feedback, self._memory)
        return torch.from_numpy(found).to(rows)


def _step_gain(features: Float[Tensor, "frames features"]) -> Float[Tensor, " frames"]:
    """By how much the steps of a head grow."""
    louder, higher = (features[:, DELIVERY.index(name)].clamp_min(0) for name in ("stress", "pitch"))
    stress = (louder + higher).clamp(max=MOST_STRESS) - USUAL_STRESS
    speaking = features[:, DELIVERY.index("speaking")]
    return QUICKENING * stress * speaking - CALMING * (1 - speaking)


@cache
def _network(name: str | Path) -> FacialNetwork:
    return load("gestures", name)
