"""Subtitles: what is said, in lines of words or phonemes between pauses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from facetalk.core.events import Event
from facetalk.core.motion import Motion
from facetalk.exporters.base import needed_events

PAUSE_S = 0.3
"""A pause of this length ends a line."""
LONGEST_S, MOST_CHARACTERS = 7.0, 84
"""Limits of a line: two rows of 42 characters, for at most seven seconds, as is usual for subtitles."""

_SILENT = ("SIL", "NSN", "")


class Cue(NamedTuple):
    """Text from start to end, in milliseconds."""

    start: int
    end: int
    parts: tuple[tuple[int, str], ...]
    """Each word or phoneme with its start."""

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(text for _, text in self.parts)


def text_cues(motion: Motion, unit: str) -> list[Cue]:
    """Return what is said in a motion.

    Args:
        motion: with words or phonemes.
        unit: `word` or `phoneme` for a cue each, `line` for lines of words, or of phonemes where there are no words.

    Raises:
        FacetalkError: nothing of this kind is in the motion.
    """
    kinds = (unit,) if unit != "line" else ("word",) if motion.events_of("word") else ("word", "phoneme")
    events = [event for event in needed_events(motion, kinds) if event.label not in _SILENT]
    lines = [[event] for event in events] if unit != "line" else list(_lines(events))
    return [_cue(line) for line in lines]


def _lines(events: Sequence[Event]) -> Iterator[list[Event]]:
    line: list[Event] = []
    for event in events:
        if line and not _fits(line, event):
            yield line
            line = []
        line.append(event)
    if line:
        yield line


def _fits(line: Sequence[Event], event: Event) -> bool:
    characters = sum(len(part.label) + 1 for part in line) + len(event.label)
    pause = event.start - max(part.end for part in line)
    return pause < PAUSE_S and event.end - line[0].start <= LONGEST_S and characters <= MOST_CHARACTERS


def _cue(line: Sequence[Event]) -> Cue:
    start = round(1000 * line[0].start)
    end = max(start + 1, round(1000 * max(event.end for event in line)))
    return Cue(start, end, tuple((max(start, round(1000 * event.start)), event.label) for event in line))


def clock(milliseconds: int, separator: str) -> str:
    """`HH:MM:SS,mmm`, or with another separator."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{separator}{rest:03d}"
