"""Praat TextGrids: a tier each for the phrases, words, phonemes and other events of a motion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import indent

from facetalk.core.events import KINDS, Event
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions, needed_events
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing

_SHORTEST_S = 1e-5
"""Shorter intervals and gaps are rounding."""


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write a tier of intervals for each kind of event, in the long text format, see `Exporter`.

    Raises:
        FacetalkError: the motion has no events.
    """
    events = needed_events(motion, KINDS)
    tiers = {kind: [event for event in events if event.kind == kind] for kind in KINDS}
    tiers = {kind: list(intervals(own, motion.duration_s)) for kind, own in tiers.items() if own}
    span = f"xmin = 0\nxmax = {motion.duration_s:.6f}\n"
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n{span}')
        file.write(f"tiers? <exists>\nsize = {len(tiers)}\nitem []:\n")
        for number, (kind, own) in enumerate(tiers.items(), 1):
            file.write(f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{kind}s"\n')
            file.write(indent(f"{span}intervals: size = {len(own)}\n", " " * 8))
            for place, (start, end, text) in enumerate(own, 1):
                quoted = text.replace('"', '""')
                file.write(f"        intervals [{place}]:\n            xmin = {start:.6f}\n")
                file.write(f'            xmax = {end:.6f}\n            text = "{quoted}"\n')


def intervals(events: Sequence[Event], duration_s: float) -> Iterator[tuple[float, float, str]]:
    """Yield start, end and text, back to back over the whole duration; a gap has no text.

    What overlaps the event before it begins where that ends. An event without a label is named by its kind.
    """
    clock = 0.0
    for event in events:
        start, end = max(event.start, clock), min(event.end, duration_s)
        if end - start < _SHORTEST_S:
            continue
        if start - clock < _SHORTEST_S:
            start = clock
        else:
            yield clock, start, ""
        yield start, end, event.label or event.kind
        clock = end
    if duration_s - clock >= _SHORTEST_S or clock == 0:
        yield clock, duration_s, ""
