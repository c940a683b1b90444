"""What a neural renderer is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from facetalk.core.motion import Motion


@runtime_checkable
class NeuralRenderer(Protocol):
    """Shows a real person who moves as a motion does."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the frames, pixels."""
        ...

    def frames(self, motion: Motion, camera: str = "front") -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Frames in sRGB, one for each of the motion, in order; memory does not grow with their number.

        Args:
            motion: for any head, at the frame rate of the video.
            camera: `front` takes from the motion how the person moves, from where they usually are; `tracked` also
                takes where the head is, from a motion that was fitted to a video of this person.

        Raises:
            FacetalkError: the motion cannot be shown so; nothing has been computed yet.
        """
        ...
