"""What happens in a motion as a table: one row for each phrase, word, phoneme, laugh, blink and nod."""

from __future__ import annotations

import csv
from pathlib import Path

from facetalk.core.events import KINDS
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, needed_events
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing

COLUMNS = ("kind", "start_s", "end_s", "label", "strength")


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write a row for each event by its start, see `Exporter`.

    Raises:
        FacetalkError: the motion has no events.
    """
    events = needed_events(motion, KINDS)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for event in events:
            strength = "" if event.strength is None else f"{event.strength:.4f}"
            table.writerow([event.kind, f"{event.start:.4f}", f"{event.end:.4f}", event.label, strength])
