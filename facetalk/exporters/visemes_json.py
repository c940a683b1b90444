"""Oculus' 15 visemes as JSON: frame rate, names, and a list of weights for each frame."""

from __future__ import annotations

from pathlib import Path

from facetalk.audio.visemes import OCULUS_VISEMES
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, in_arkit_channels
from facetalk.exporters.weight_rows import write_json
from facetalk.head.model import HeadModel
from facetalk.motion.visemes import viseme_weights


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write `fps`, `visemes` and `weights`, which sum to 1 in each frame, see `Exporter`."""
    motion = in_arkit_channels(motion, head, options)
    notes = {"fps": motion.fps, "frames": motion.num_frames, "visemes": OCULUS_VISEMES}
    write_json(path, notes, "weights", viseme_weights(motion).split(512))
