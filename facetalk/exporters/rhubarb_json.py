"""Mouth cues in the layout of Rhubarb Lip Sync's JSON files."""

from __future__ import annotations

import json
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
    """Write `metadata` and `mouthCues`, see `Exporter`."""
    sheet = cue_sheet(motion, head)
    metadata = {"soundFile": sheet.source, "duration": sheet.length / 100}
    cues = [json.dumps({"start": cue.start / 100, "end": cue.end / 100, "value": cue.shape}) for cue in sheet.cues]
    lines = ",\n".join(f"    {cue}" for cue in cues)
    text = f'{{\n  "metadata": {json.dumps(metadata)},\n  "mouthCues": [\n{lines}\n  ]\n}}\n'
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="ascii")
