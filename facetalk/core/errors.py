"""Errors that a user can fix. The command line prints them without a traceback and exits with their code."""

from __future__ import annotations

import os
from pathlib import Path

from facetalk.core.text import one_line

LONGEST_MESSAGE = 1000
"""Characters."""


class FacetalkError(Exception):
    """An input cannot be used; the message says what is wrong, what was found and what to do."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        """Make the message one line that a terminal shows as it is, whatever a file's name and content put into it.

        Args:
            message: one sentence.
        """
        text = one_line(message)
        super().__init__(text if len(text) <= LONGEST_MESSAGE else f"{text[:700]} ... {text[-200:]}")


class UsageError(FacetalkError):
    """The request is invalid: an unknown name, or options that exclude each other."""

    exit_code = 2


class MissingAssetError(FacetalkError):
    """Weights, a head file or an optional program is missing."""

    exit_code = 3


class InvalidValueError(FacetalkError, ValueError):
    """A motion or waveform in memory cannot be used: its values are not finite, or beyond what a face can do."""


class NoFaceError(FacetalkError):
    """No frame of a video shows a face."""

    def __init__(self, path: Path | str, num_frames: int) -> None:
        """Describe the video.

        Args:
            path: the video.
            num_frames: frames that were searched.
        """
        super().__init__(f"{path}: no face was found in any of its {num_frames} frames; give a video of a face")


USER_ERRORS = (FacetalkError, OSError, MemoryError)
"""What may be wrong with one input, its outputs or the machine, in contrast to errors of the program."""


def user_error(error: BaseException) -> FacetalkError:
    """One of `USER_ERRORS` as an error with a message of one line."""
    if isinstance(error, FacetalkError):
        return error
    if isinstance(error, MemoryError):
        return FacetalkError("not enough memory; close other programs, or use a machine with more")
    assert isinstance(error, OSError)
    name = error.filename2 or error.filename  # of a renaming, the final name
    reason = error.strerror or str(error) or type(error).__name__
    if name is None or isinstance(name, int):
        return FacetalkError(f"a file cannot be read or written: {reason}")
    return FacetalkError(f"{os.fsdecode(name)}: {reason}")
