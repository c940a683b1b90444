"""Motion files (`.npz`): the motion itself, see `facetalk.io.motion`."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate
from facetalk.head.model import HeadModel
from facetalk.io.motion import write_motion


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write a motion file, see `Exporter`."""
    write_motion(path, at_frame_rate(motion, options))
