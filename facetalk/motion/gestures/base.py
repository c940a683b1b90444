"""What every gesture has in common: a motion in, the motion with something added out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion
from facetalk.io.audio import Waveform


@runtime_checkable
class GestureStream(Protocol):
    """What a gesture adds to a motion that comes piece by piece."""

    def add(self, motion: Motion, samples: Float[Tensor, " samples"] | None) -> Motion:
        """Return the next frames with the gesture added.

        Args:
            motion: its next frames.
            samples: the next of the speech, at least up to the end of the tenth of a second in which the last frame
                lies; where they end earlier, the speech does. None where it is not known.
        """
        ...


@runtime_checkable
class Gesture(Protocol):
    """Adds movements that the speech alone does not ask for, such as blinks."""

    def add(
        self, motion: Motion, waveform: Waveform | None, generator: torch.Generator, in_place: bool = False
    ) -> Motion:
        """Return the motion with the gesture added.

        What is added to a frame depends only on the state of the generator, the number of the frame and the motion and
        audio up to it, so that a longer recording begins as a shorter one does.

        Args:
            motion: at 30 fps, with the ARKit channels.
            waveform: the speech, mono at 16 kHz; None where it is not known.
            generator: source of all random choices.
            in_place: write into the expression of the motion, whose copy would take 22 MB for an hour.

        Raises:
            ValueError: the motion has another frame rate.
        """
        ...


@runtime_checkable
class StreamedGesture(Gesture, Protocol):
    """A gesture for motions that come piece by piece."""

    def start(self, generator: torch.Generator) -> GestureStream:
        """Begin a motion that comes piece by piece, with the result of `add`.

        Args:
            generator: source of all random choices.
        """
        ...
