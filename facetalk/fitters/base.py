"""What all fitters have in common: a video in, the motion of a head out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.head.model import HeadModel

LengthListener: TypeAlias = Callable[[int], None]
"""Called with the number of frames of a motion as soon as it is known, before most of the work."""


def no_listener(num_frames: int) -> None:
    """Ignore the length."""


@runtime_checkable
class Fitter(Protocol):
    """A method that recovers the motion of one face from a video."""

    def fit(
        self,
        video: Path,
        head: HeadModel,
        *,
        face: int | None = None,
        progress: Progress = no_progress,
        on_length: LengthListener = no_listener,
    ) -> Motion:
        """Return the motion of a head that moves as the face in a video.

        Args:
            video: any video that ffmpeg reads.
            head: the head to move.
            face: which of several people, counted from 1 at the left of the frame; if None, the main one: large,
                visible throughout and speaking.
            progress: called with the number of frames done and expected.
            on_length: called with the number of frames of the motion.

        Returns:
            One row per frame at 30 fps, with the estimated camera of the video, the fit error in interocular units and
            the confidence of each frame.

        Raises:
            FacetalkError: the video cannot be decoded, or shows no face.
            UsageError: `face` exceeds the number of people.
            MissingAssetError: the detector or a network is not installed.
        """
        ...
