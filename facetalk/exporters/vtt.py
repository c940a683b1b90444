"""Subtitles as WebVTT files, with the time of each word or phoneme."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions
from facetalk.exporters.text_cues import Cue, clock, text_cues
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write cues whose words have time stamps, see `Exporter` and `text_cues`.

    Raises:
        FacetalkError: the motion has neither words nor phonemes.
    """
    cues = text_cues(motion, options.cues)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("WEBVTT\n")
        for cue in cues:
            file.write(f"\n{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{_timed(cue)}\n")


def _timed(cue: Cue) -> str:
    """The text with a time stamp before each part but the first; they have to increase."""
    parts, last = [], cue.start
    for start, text in cue.parts:
        stamp = f"<{clock(start, '.')}>" if last < start < cue.end else ""
        last = max(last, start)
        parts.append(stamp + text.translate(_ESCAPES))
    return " ".join(parts)
