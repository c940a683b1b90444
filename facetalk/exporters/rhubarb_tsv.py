"""Mouth cues in the layout of Rhubarb Lip Sync's TSV files."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions
from facetalk.exporters.mouth_cues import cue_sheet
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write the start of each shape, and a closing rest at the end, see `Exporter`."""
    sheet = cue_sheet(motion, head)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="ascii") as file:
        file.writelines(f"{cue.start / 100:.2f}\t{cue.shape}\n" for cue in sheet.cues)
        file.write(f"{sheet.length / 100:.2f}\tX\n")
