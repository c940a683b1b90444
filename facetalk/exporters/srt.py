"""Subtitles as SubRip files."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions
from facetalk.exporters.text_cues import clock, text_cues
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write numbered cues, see `Exporter` and `text_cues`.

    Raises:
        FacetalkError: the motion has neither words nor phonemes.
    """
    cues = text_cues(motion, options.cues)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for number, cue in enumerate(cues, 1):
            file.write(f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{cue.text}\n\n")
