"""The events of a motion as JSON: one object per kind, one short row per event.

An hour of speech has 40 000 phonemes. As objects with named entries they would take 2.7 MB; rows of start, end and
label take 1 MB, and less than half of it in a compressed file, because most begin where the one before ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facetalk.core.errors import FacetalkError, InvalidValueError
from facetalk.core.events import KINDS, Event, in_order

_DECIMALS = 4
"""Tenths of a millisecond."""
_ROW = ((int, float), (int, float), str, (int, float))


def packed_events(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return events as JSON values: `{"kind": "phoneme", "spans": [[start, end, label, strength], ...]}` per kind.

    A row ends after the last entry that is given. Times are rounded to tenths of a millisecond.
    """
    rows: dict[str, list[list[Any]]] = {kind: [] for kind in KINDS}
    for event in events:
        row: list[Any] = [round(float(event.start), _DECIMALS), round(float(event.end), _DECIMALS)]
        if event.label or event.strength is not None:
            row.append(event.label)
        if event.strength is not None:
            row.append(round(float(event.strength), _DECIMALS))
        rows[event.kind].append(row)
    return [{"kind": kind, "spans": spans} for kind, spans in rows.items() if spans]


def unpacked_events(value: Any, where: str) -> tuple[Event, ...]:
    """Return the events that `packed_events` packed, by start.

    Args:
        value: out of a JSON text.
        where: file and entry, for errors.

    Raises:
        FacetalkError: the value is something else.
    """
    if not isinstance(value, list):
        raise FacetalkError(f"{where} is not a list of events")
    events: list[Event] = []
    for number, track in enumerate(value):
        if not isinstance(track, dict) or not isinstance(track.get("spans"), list):
            raise FacetalkError(f"{where}[{number}] is not an object with 'kind' and a list of 'spans'")
        for row in track["spans"]:
            if not _is_row(row):
                raise FacetalkError(f"{where}[{number}] holds {row!r:.40}, not [start, end, label, strength]")
            try:
                events.append(Event(str(track.get("kind")), *row))
            except InvalidValueError as error:
                raise FacetalkError(f"{where}[{number}] holds {error}") from None
    return in_order(events)


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and 2 <= len(row) <= 4 and all(map(isinstance, row, _ROW))
