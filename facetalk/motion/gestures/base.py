"""What every gesture has in common: a motion in, the motion with something added out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch

from facetalk.core.motion import Motion
from facetalk.io.audio import Waveform


@runtime_checkable
class Gesture(Protocol):
    """Adds movements that the speech alone does not ask for, such as blinks."""

    def add(self, motion: Motion, waveform: Waveform | None, generator: torch.Generator) -> Motion:
        """Return the motion with the gesture added.

        What is added to a frame depends only on the state of the generator, the number of the frame and the motion and
        audio up to it, so that a longer recording begins as a shorter one does.

        Args:
            motion: at 30 fps, with the ARKit channels.
            waveform: the speech, mono at 16 kHz; None where it is not known.
            generator: source of all random choices.

        Raises:
            ValueError: the motion has another frame rate.
        """
        ...
