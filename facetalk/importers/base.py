"""What an importer is, and what it is told about files that do not say everything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from facetalk.core.motion import Motion, still_motion
from facetalk.core.text import unicode_name
from facetalk.core.timing import FPS
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.gaze import channels_to_gaze
from facetalk.motion.heads import identity_names

HEAD = "facetalk"
"""The head that curves with ARKit's names are for."""


@dataclass(frozen=True)
class ImportOptions:
    """What a file may leave open."""

    fps: float | None = None
    """Frame rate of files that do not state one; 30 if not given."""
    head: str | None = None
    """Head of parameters that do not name theirs."""


@runtime_checkable
class Importer(Protocol):
    """A module that reads one kind of file."""

    def read(self, path: Path, options: ImportOptions) -> Motion:
        """Read a file.

        Args:
            path: the file; it exists.
            options: for what the file does not state.

        Raises:
            FacetalkError: the file is damaged, or of another kind.
        """
        ...


def arkit_motion(
    expression: Float[Tensor, "frames 52"], path: Path, fps: float | None, kind: str, **rows: Float[Tensor, "frames 3"]
) -> Motion:
    """A motion of ARKit's channels; the eyeballs follow the gaze channels unless their rotation is given.

    Args:
        expression: channels in Apple's order.
        path: the file that it is from.
        fps: frames a second; 30 if nobody knows.
        kind: name of the file's format.
        rows: poses and `transl`, by their names in `Motion`.
    """
    motion = still_motion(HEAD, expression, ARKIT_NAMES, fps or FPS, len(identity_names(HEAD)))
    leye_pose, reye_pose = channels_to_gaze(expression)
    given = {"leye_pose": leye_pose, "reye_pose": reye_pose, **rows}
    return motion.replace(**given, source=unicode_name(path.name), meta={"imported_from": kind})
