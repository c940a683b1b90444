"""What is said in a recording, as far as it is known: text, perhaps with times, or the phonemes themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from facetalk.audio.pronunciation import count_words
from facetalk.core.events import Event, cut_events


@dataclass(frozen=True)
class SaidText:
    """Text that is said within a span of time."""

    text: str
    start_s: float = 0.0
    end_s: float = math.inf
    is_exact: bool = False
    """Whether the text is one word that begins and ends with the span."""


@dataclass(frozen=True)
class Transcript:
    """What is said in a recording.

    Example:
        >>> Transcript.of_text("Kids are talking by the door.")
    """

    parts: tuple[SaidText, ...] = ()
    """Text whose phonemes are to be found, by start."""
    events: tuple[Event, ...] = ()
    """Words and phonemes with known times, by start."""

    @classmethod
    def of_text(cls, text: str) -> Transcript:
        """A text without times."""
        return cls((SaidText(text),))

    @property
    def num_words(self) -> int:
        """Number of words whose times are not known."""
        return sum(count_words(part.text) for part in self.parts)

    def cut(self, start_s: float, end_s: float | None) -> Transcript:
        """The transcript of a part of the recording, seconds; text without times stays whole."""
        end = math.inf if end_s is None else end_s
        if start_s == 0 and end == math.inf:
            return self
        parts = (
            replace(part, start_s=max(part.start_s - start_s, 0.0), end_s=min(part.end_s, end) - start_s)
            for part in self.parts
            if part.end_s > start_s and part.start_s < end
        )
        return Transcript(tuple(parts), cut_events(self.events, start_s, min(end, start_s + 1e6)))
