"""What happens in a motion and when: phonemes, words, phrases, blinks, nods and laughs."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import InvalidValueError

KINDS = ("phrase", "word", "phoneme", "laugh", "blink", "nod")
"""What an event can be. A phrase is a stretch of speech between two pauses."""

LONGEST_LABEL = 200
"""Characters."""

_LATEST_S = 1e6
"""Far beyond the longest motion."""
_SAME_TIME_S = 1e-6


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in a motion.

    Raises:
        InvalidValueError: the kind is unknown, the times are no span, or the label cannot be printed.
    """

    kind: str
    """One of `KINDS`."""
    start: float
    """Seconds from the first frame, like `end`."""
    end: float
    label: str = ""
    """A phoneme in the alphabet of `facetalk.audio.phonemes`, a word as it is written; empty where there is none."""
    strength: float | None = None
    """How strong it is or how certain, from 0 to 1, where that is known."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidValueError(f"an event of the kind {self.kind!r:.40}; known kinds: {', '.join(KINDS)}")
        if not (_is_number(self.start) and _is_number(self.end) and 0 <= self.start <= self.end <= _LATEST_S):
            raise InvalidValueError(f"a {self.kind} from {self.start!r:.20} to {self.end!r:.20} s is no span of time")
        if not isinstance(self.label, str) or len(self.label) > LONGEST_LABEL or not self.label.isprintable():
            limit = f"printable and has at most {LONGEST_LABEL} characters"
            raise InvalidValueError(f"a {self.kind} with the label {self.label!r:.40}; a label is {limit}")
        if self.strength is not None and not (_is_number(self.strength) and 0 <= self.strength <= 1):
            raise InvalidValueError(f"a {self.kind} of strength {self.strength!r:.20}; a strength is between 0 and 1")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    @property
    def middle_s(self) -> float:
        """Time halfway between start and end."""
        return (self.start + self.end) / 2


def in_order(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return events by their start; of those that start together, what holds the others comes first."""
    events = tuple(events)
    if all(before <= after for before, after in pairwise(map(_place, events))):
        return events  # as phonemes are, of which an hour has 40 000
    return tuple(sorted(events, key=_place))


def _place(event: Event) -> tuple[float, float, int, str]:
    return event.start, -event.end, KINDS.index(event.kind), event.label


def cut_events(events: Sequence[Event], start_s: float, stop_s: float) -> tuple[Event, ...]:
    """Return what happens within a span of time, with the ends of what reaches beyond it cut off.

    Args:
        events: in order.
        start_s: where the times of the result begin.
        stop_s: end of the span.
    """
    later = bisect_left(events, stop_s, key=lambda event: event.start)
    length = stop_s - start_s
    return tuple(
        _moved(event, max(event.start - start_s, 0.0), min(event.end - start_s, length))
        for event in events[:later]
        if event.end > start_s or event.start >= start_s
    )


def events_at_times(events: Sequence[Event], times: Float[Tensor, " frames"], fps: float) -> tuple[Event, ...]:
    """Return the events of a motion whose frames are taken at other times.

    Args:
        events: in order.
        times: of each new frame, in seconds of the events.
        fps: rate of the new frames.

    Returns:
        The events in seconds from the first new frame; none if the times do not increase.
    """
    if not events or len(times) == 0:
        return ()
    new = np.arange(len(times) + 1) / fps
    old = np.append(times.double().numpy(), float(times[-1]) + 1 / fps)
    if np.abs(old - old[0] - new).max() < _SAME_TIME_S:  # plain resampling: the seconds stay as they are
        first = float(old[0]) if abs(old[0]) >= _SAME_TIME_S else 0.0
        return cut_events(events, first, first + len(times) / fps)
    if np.diff(old).min() <= 0:
        return ()
    kept = cut_events(events, float(old[0]), float(old[-1]))
    starts, ends = (np.interp(values, old - old[0], new) for values in _ends(kept))
    return tuple(map(_moved, kept, starts.tolist(), ends.tolist()))


def _ends(events: Sequence[Event]) -> tuple[list[float], list[float]]:
    return [event.start for event in events], [event.end for event in events]


def _moved(event: Event, start: float, end: float) -> Event:
    return event if (start, end) == (event.start, event.end) else replace(event, start=start, end=end)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
