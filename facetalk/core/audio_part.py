"""Which part of a recording is meant, and how it is noted in the `meta` of a motion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from facetalk.core.errors import FacetalkError, UsageError

MOST_CHANNELS = 1024
_LATEST_S = 24 * 3600.0
_SLOWEST, _FASTEST = 0.01, 100.0
_UNCLEAR = "the motion does not say which part of its speech it shows"


@dataclass(frozen=True)
class AudioPart:
    """A span of a recording, one of its channels, and the tempo at which it is played.

    Raises:
        UsageError: a value is out of range, or the span is empty.
    """

    channel: int | None = None
    """1 for the first or left one, 2 for the right one, and so on; None mixes all."""
    start_s: float = 0.0
    end_s: float | None = None
    """None is the end of the recording."""
    tempo: float = 1.0
    """How many seconds of the recording pass in one second, at the same pitch."""

    def __post_init__(self) -> None:
        channel = self.channel
        if channel is not None and (type(channel) is not int or not 1 <= channel <= MOST_CHANNELS):
            raise UsageError(f"the channel is {channel!r:.40}; it must be left, right, or a number from 1 on")
        for name, time in (("start", self.start_s), ("end", self.end_s)):
            if time is not None and not (_is_number(time) and 0 <= time <= _LATEST_S):
                raise UsageError(f"the {name} of the audio is {time!r:.40}; it must be 0 to {_LATEST_S:g} seconds")
        if self.end_s is not None and self.end_s <= self.start_s:
            raise UsageError(
                f"the audio from {self.start_s:g} s to {self.end_s:g} s is empty; it ends before it starts"
            )
        if not (_is_number(self.tempo) and _SLOWEST <= self.tempo <= _FASTEST):
            raise UsageError(f"the tempo is {self.tempo!r:.40}; it must be {_SLOWEST:g} to {_FASTEST:g}")

    @classmethod
    def parsed(cls, channel: str | None = None, start: str | None = None, end: str | None = None) -> AudioPart:
        """Read a channel (`left`, `right` or its number) and times (`12.5`, `1:02.5`).

        Raises:
            UsageError: one of them is not of this form, or the span is empty.
        """
        return cls(
            channel=None if channel is None else _channel(channel),
            start_s=0.0 if start is None else _time(start, "the start"),
            end_s=None if end is None else _time(end, "the end"),
        )

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> AudioPart:
        """The part that the `meta` of a motion names; the whole if it names none.

        Raises:
            FacetalkError: what it names makes no sense.
        """
        named = {name: meta[name] for name in ("channel", "from", "to", "tempo") if meta.get(name) is not None}
        for name, value in named.items():
            if not _is_number(value) or (name == "channel" and not isinstance(value, int)):
                raise FacetalkError(f"{_UNCLEAR}: its {name} is {value!r:.40}")
        try:
            return cls(named.get("channel"), named.get("from", 0.0), named.get("to"), named.get("tempo", 1.0))
        except UsageError as error:
            raise FacetalkError(f"{_UNCLEAR}: {error}") from None

    def meta(self) -> dict[str, Any]:
        """What `of` reads; null where it is the default."""
        return {
            "channel": self.channel,
            "from": self.start_s or None,
            "to": self.end_s,
            "tempo": None if self.tempo == 1 else self.tempo,
        }

    def cut(self, start_s: float, end_s: float) -> AudioPart:
        """The part of this part between two times of a motion that it goes with, seconds."""
        start, end = (round(self.start_s + time * self.tempo, 6) for time in (start_s, end_s))
        return AudioPart(self.channel, start, end, self.tempo)

    def faster(self, speed: float) -> AudioPart:
        """The same samples, played faster by a factor."""
        return AudioPart(self.channel, self.start_s, self.end_s, self.tempo * speed)


def _channel(text: str) -> int:
    """The number of a channel that is given as `left`, `right`, or counted from 1."""
    sides = {"left": 1, "right": 2}
    word = text.strip().lower()
    if word in sides:
        return sides[word]
    if not word.isdecimal() or len(word) > 4 or int(word) == 0:
        raise UsageError(f"unknown channel {text!r:.40}; give left, right, or a number from 1 on")
    return int(word)


def _time(text: str, what: str) -> float:
    """Seconds that are given as `12.5`, `1:02.5` or `1:02:03`.

    Args:
        text: as a user writes it.
        what: names it in the error.
    """
    parts = text.strip().split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    whole = all(part.isdecimal() for part in parts[:-1]) and all(value < 60 for value in values[1:])
    if not values or len(values) > 3 or len(text) > 40 or not whole or not all(0 <= value < 1e6 for value in values):
        raise UsageError(f"{what} is {text!r:.40}; write seconds, or minutes as in 1:02.5")
    return math.fsum(value * 60**place for place, value in enumerate(reversed(values)))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
