"""Mouth cues in the layout of Rhubarb Lip Sync's XML files."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

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
    """Write `rhubarbResult` with `metadata` and `mouthCues`, see `Exporter`."""
    sheet = cue_sheet(motion, head)
    name = "".join(filter(str.isprintable, sheet.source))  # XML has no way to write some others
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<rhubarbResult>\n  <metadata>\n')
        file.write(f"    <soundFile>{escape(name)}</soundFile>\n")
        file.write(f"    <duration>{sheet.length / 100:.2f}</duration>\n  </metadata>\n  <mouthCues>\n")
        for cue in sheet.cues:
            times = f'start="{cue.start / 100:.2f}" end="{cue.end / 100:.2f}"'
            file.write(f"    <mouthCue {times}>{cue.shape}</mouthCue>\n")
        file.write("  </mouthCues>\n</rhubarbResult>\n")
