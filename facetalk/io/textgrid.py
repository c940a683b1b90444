"""Praat TextGrids with words and phonemes, in the long and the short text format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from facetalk.audio.ipa import nearest_phoneme
from facetalk.audio.phonemes import PHONEME_IDS
from facetalk.audio.transcript import SaidText, Transcript
from facetalk.core.errors import FacetalkError
from facetalk.core.events import LONGEST_LABEL, Event, in_order
from facetalk.io.subtitles import without_markup

MAGIC = "ooTextFile"

# Only texts in quotation marks, numbers and flags that stand alone count; what is between them is comment (Praat's
# manual, "TextGrid file formats").
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|<exists>|<absent>)(?!\S)')
_SILENCES = ("sil", "sp", "<sil>", "<p:>", "_", "#", "pau")
_NOISES = ("nsn", "spn", "<unk>", "<nib>")
_WORDS, _PHONEMES = ("word", "ort"), ("phone", "mau", "segment")
"""What the names of tiers hold, in any case."""


@dataclass(frozen=True)
class _Tier:
    name: str
    rows: list[tuple[float, float, str]]


def parse_textgrid(text: str, where: str) -> Transcript:
    """The words and phonemes of a TextGrid.

    Tiers whose names hold `word` or `phone` have words and phonemes with their times; a word without phonemes gets
    them within its own times. Without such a tier, the first tier of intervals says what is said when.

    Args:
        text: of the file.
        where: its name, for errors.

    Raises:
        FacetalkError: it is no TextGrid, or has no intervals with text.
    """
    tiers = list(_tiers(text, where))
    words, phonemes = ([tier for tier in tiers if _is_named(tier, names)] for names in (_WORDS, _PHONEMES))
    events = [event for tier in phonemes[:1] for event in _phonemes(tier, where)]
    source = words or ([] if events else tiers)
    rows = source[0].rows if source else []
    if events:
        labels = ((start, end, without_markup(label).strip()[:LONGEST_LABEL]) for start, end, label in rows)
        events += [Event("word", *row) for row in labels if row[2].isprintable() and row[2]]
        return Transcript(events=in_order(events))
    said = [SaidText(without_markup(label), start, end, len(label.split()) == 1) for start, end, label in rows]
    said = [part for part in said if part.text.strip().lower() not in ("", *_SILENCES, *_NOISES)]
    if not said:
        names = ", ".join(tier.name for tier in tiers)[:200] or "none"
        raise FacetalkError(f"{where} has no intervals with words or phonemes; its tiers: {names}")
    return Transcript(tuple(said))


def _is_named(tier: _Tier, names: Sequence[str]) -> bool:
    return any(name in tier.name.lower() for name in names)


def _phonemes(tier: _Tier, where: str) -> Iterator[Event]:
    unknown: dict[str, int] = {}
    known = 0
    for start, end, label in tier.rows:
        if not label.strip():
            continue
        symbol = _symbol(label.strip())
        if symbol is None:
            unknown[label] = unknown.get(label, 0) + 1
            continue
        known += 1
        yield Event("phoneme", start, end, symbol)
    if sum(unknown.values()) > known:
        examples = ", ".join(list(unknown)[:5])
        raise FacetalkError(
            f"{where}: unknown phonemes in the tier {tier.name!r:.40}: {examples:.80}; write ARPABET (AA1, B) or IPA"
        )


def _symbol(label: str) -> str | None:
    """A phoneme in ARPABET, with or without stress, or in IPA."""
    bare = label.upper().rstrip("012")
    if bare in PHONEME_IDS:
        return bare
    if label.lower() in _SILENCES:
        return "SIL"
    return "NSN" if label.lower() in _NOISES else nearest_phoneme(label)


def _tiers(text: str, where: str) -> Iterator[_Tier]:
    """Yield the tiers of intervals; those of points are left out."""
    tokens = _Tokens(text, where)
    if tokens.text() != MAGIC or tokens.text() != "TextGrid":
        raise FacetalkError(f"{where} is not a TextGrid in text format; Praat's `Save as text file` writes one")
    tokens.skip(3)  # times and a flag
    for _ in range(tokens.count()):
        kind, name = tokens.text(), tokens.text()
        tokens.skip(2)
        size = tokens.count()
        if kind == "IntervalTier":
            yield _Tier(name, [tokens.interval(name) for _ in range(size)])
        else:
            tokens.skip(2 * size)


class _Tokens:
    """What counts in the text of a TextGrid, one after the other."""

    def __init__(self, text: str, where: str) -> None:
        self._matches, self._where = _TOKEN.finditer(text), where

    def text(self) -> str:
        match = self._next("a text in quotation marks")
        if match[1] is None:
            raise FacetalkError(f"{self._where} has {match[0]!r:.40} where a text in quotation marks should be")
        return match[1].replace('""', '"')

    def number(self) -> float:
        match = self._next("a number")
        try:
            return float(match[2] or "")
        except ValueError:
            raise FacetalkError(f"{self._where} has {match[0]!r:.40} where a number should be") from None

    def count(self) -> int:
        value = self.number()
        if not 0 <= value <= 10**7 or value != int(value):
            raise FacetalkError(f"{self._where} has {value:g} where a number of tiers or intervals should be")
        return int(value)

    def skip(self, count: int) -> None:
        for _ in range(count):
            self._next("more")

    def interval(self, tier: str) -> tuple[float, float, str]:
        start, end, text = self.number(), self.number(), self.text()
        if not 0 <= start <= end <= 1e6:
            raise FacetalkError(f"{self._where}: in the tier {tier!r:.40}, {start:g} to {end:g} s is no span of time")
        return start, end, text

    def _next(self, what: str) -> re.Match[str]:
        match = next(self._matches, None)
        if match is None:
            raise FacetalkError(f"{self._where} ends where {what} should be; it was cut off")
        return match
