"""Oculus' 15 visemes as a table: a row for each frame with its time and a weight for each viseme."""

from __future__ import annotations

from pathlib import Path

from facetalk.audio.visemes import OCULUS_VISEMES
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, in_arkit_channels
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing
from facetalk.motion.visemes import viseme_weights

_BLOCK = 512


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write weights that sum to 1 in each row, see `Exporter` and `facetalk.motion.visemes`."""
    motion = in_arkit_channels(motion, head, options)
    weights = viseme_weights(motion)
    line = ",".join(["%.4f"] * (1 + len(OCULUS_VISEMES))) + "\n"
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="ascii") as file:
        file.write(",".join(("time_s", *OCULUS_VISEMES)) + "\n")
        for start in range(0, len(weights), _BLOCK):
            rows = weights[start : start + _BLOCK].tolist()
            file.writelines(line % ((start + row) / motion.fps, *values) for row, values in enumerate(rows))
