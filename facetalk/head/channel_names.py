"""Spellings of the ARKit channels in the rigs, recordings and files of other programs.

A name is compared without regard to case and to what joins its words, so `jawOpen`, `JawOpen`, `jaw_open` and `JAW
OPEN` are one. A side stands at the end (`browDownLeft`, `browDown_L`), at the start (`L_browDown`) or after the first
word (`Eye_L_Blink`). What precedes a name (`ARKit.jawOpen`, `head_jawOpen`, `A25_Jaw_Open`) does not count, unless it
is the name of another channel: `jawOpen_mouthFunnel` is a corrective of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from facetalk.core.words import words
from facetalk.head.channels import ARKIT_NAMES

_SIDES = {"Left": ("left", "l"), "Right": ("right", "r")}

# Names in Character Creator 4's extended profile, whose other names are ARKit's with other joints.
_SYNONYMS = {
    "browDown": "browDrop",
    "browOuterUp": "browRaiseOuter",
    "browInnerUp": "browRaiseInner",
    "cheekSquint": "cheekRaise",
    "mouthLowerDown": "mouthDownLower",
    "mouthUpperUp": "mouthUpUpper",
    "mouthRollUpper": "mouthRollInUpper",
    "mouthRollLower": "mouthRollInLower",
}


class _Meaning(NamedTuple):
    channels: tuple[str, ...]
    half: str
    """The side that a shape covers of a channel without sides."""


def channels_named(name: str) -> tuple[str, ...]:
    """The ARKit channels that a name stands for: one, both sides of a name without a side, or none.

    Args:
        name: such as `browDown_L`; `eyeBlink` stands for both eyes.
    """
    found = _meaning(words(name))
    return found.channels if found else ()


def combination_named(name: str) -> tuple[str, str] | None:
    """The channels whose product a corrective's name stands for, such as `jawOpen_mouthFunnel`.

    `eyeBlinkLeft_half` is a channel halfway, which is given as that channel twice; see `facetalk.head.correctives`.
    """
    parts = words(name)
    for cut in range(1, len(parts)):
        first = _single(parts[:cut])
        second = first if parts[cut:] == ("half",) else _single(parts[cut:])
        if first is not None and second is not None:
            return first, second
    return None


def channel_columns(names: Iterable[str]) -> dict[str, list[int]]:
    """Columns of a table that belong to each ARKit channel, by the table's own names: one, or one for each side.

    A channel with a column of its own does not use one for both sides of the face. Of columns with the same meaning,
    the first counts.

    Returns:
        Channels that the table has, in Apple's order.
    """
    columns: dict[_Meaning, int] = {}
    for column, name in enumerate(names):
        meaning = _meaning(words(name))
        if meaning is not None:
            columns.setdefault(meaning, column)
    found: dict[str, list[int]] = {}
    for channel in ARKIT_NAMES:
        whole = _Meaning((channel,), "")
        halves = [columns[part] for side in _SIDES if (part := _Meaning((channel,), side)) in columns]
        shared = [column for meaning, column in columns.items() if len(meaning.channels) > 1 and channel in meaning[0]]
        own = [columns[whole]] if whole in columns else halves or shared
        if own:
            found[channel] = own
    return found


def _meaning(parts: tuple[str, ...]) -> _Meaning | None:
    table = _table()
    for start in range(len(parts)):
        found = table.get("".join(parts[start:]))
        if found is not None:
            return None if any("".join(parts[:cut]) in table for cut in range(1, start + 1)) else found
    return None


def _single(parts: tuple[str, ...]) -> str | None:
    found = _table().get("".join(parts))
    return found.channels[0] if found is not None and len(found.channels) == 1 else None


@cache
def _table() -> Mapping[str, _Meaning]:
    """Meanings by all spellings."""
    table: dict[str, _Meaning] = {}
    for channel in ARKIT_NAMES:
        for spelling, half in _spellings(channel):
            table.setdefault(spelling, _Meaning((channel,), half))
    for channel in ARKIT_NAMES:
        if channel.endswith("Left") and channel not in ("jawLeft", "mouthLeft"):
            both = channel, f"{channel.removesuffix('Left')}Right"
            for base in _bases(channel.removesuffix("Left")):
                table.setdefault("".join(base), _Meaning(both, ""))
    return table


def _spellings(channel: str) -> Iterator[tuple[str, str]]:
    """All spellings of one channel, without joints, and the side that each covers of a channel without sides."""
    own = next((side for side in _SIDES if channel.endswith(side)), None)
    for base in _bases(channel.removesuffix(own or "")):
        if own is None:
            yield "".join(base), ""
        for side in [own] if own else _SIDES:
            for mark in _SIDES[side]:
                for joined in ("".join(base) + mark, mark + "".join(base), base[0] + mark + "".join(base[1:])):
                    yield joined, "" if own else side


def _bases(name: str) -> list[tuple[str, ...]]:
    return [words(name), *([words(_SYNONYMS[name])] if name in _SYNONYMS else [])]
