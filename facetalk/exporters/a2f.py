"""Blend shape weights in the JSON layout of NVIDIA's Audio2Face exporter, in ARKit's channels."""

from __future__ import annotations

from pathlib import Path, PurePath

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, in_arkit_channels
from facetalk.exporters.weight_rows import write_json
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel

_BLOCK = 512


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write `facsNames` and `weightMat` with a row for each frame, see `Exporter`."""
    motion = in_arkit_channels(motion, head, options)
    columns = [motion.expression_names.index(name) for name in ARKIT_NAMES]
    notes = {
        "exportFps": motion.fps,
        "trackPath": PurePath(motion.source).name,
        "numPoses": len(ARKIT_NAMES),
        "numFrames": motion.num_frames,
        "facsNames": ARKIT_NAMES,
    }
    write_json(path, notes, "weightMat", (part.expression[:, columns] for _, part in motion.blocks(_BLOCK)))
