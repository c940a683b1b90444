"""Text -> words -> phonemes: pocketsphinx's English dictionary, and rules for words that it lacks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from facetalk.audio.letter_sounds import LETTER_NAMES, latin_letters, letter_sounds
from facetalk.audio.number_words import without_digits
from facetalk.audio.phonemes import PHONEME_IDS
from facetalk.core.events import LONGEST_LABEL

_WORD = re.compile(r"[^\W\d_]+(?:['’\u02bc][^\W\d_]+)*")
_SPELLED_LETTERS = 5
"""Capitals that no dictionary has are read letter by letter up to this many."""
_LONGEST_WORD = 60
"""Letters: longer ones are nonsense."""


@dataclass(frozen=True)
class Word:
    """A word of a text."""

    text: str
    """As it is written."""
    phonemes: tuple[int, ...]
    """Ids of its phonemes, of the first pronunciation in the dictionary; empty where it is in another script."""


def words_of(text: str) -> list[Word]:
    """The words of a text in their order, with numbers written out; longer ones than a word can be are cut."""
    found = (match[0][:_LONGEST_WORD] for match in _WORD.finditer(without_digits(text)))
    return [Word(word[:LONGEST_LABEL], pronounced(word)) for word in found if word.isprintable()]


def count_words(text: str) -> int:
    """Number of words in a text."""
    return sum(1 for _ in _WORD.finditer(without_digits(text)))


@lru_cache(maxsize=20_000)
def pronounced(word: str) -> tuple[int, ...]:
    """Ids of the phonemes of a word; empty if it has no Latin letter."""
    plain = word.lower().replace("’", "'").replace("\u02bc", "'")
    known = _dictionary().get(plain)
    if known is None:
        bare, _, ending = plain.rpartition("'")
        known = f"{_dictionary()[bare]} Z" if ending == "s" and bare in _dictionary() else None
    return _ids(known.split() if known is not None else _by_rules(word))


def _by_rules(word: str) -> Sequence[str]:
    letters = latin_letters(word)
    if word.isupper() and 1 < len(letters) <= _SPELLED_LETTERS:
        return " ".join(LETTER_NAMES[letter] for letter in letters).split()
    return letter_sounds(letters)


def _ids(symbols: Sequence[str]) -> tuple[int, ...]:
    return tuple(PHONEME_IDS[symbol] for symbol in symbols)


@cache
def _dictionary() -> dict[str, str]:
    """First pronunciation of each word of pocketsphinx's dictionary."""
    from pocketsphinx import get_model_path

    with Path(get_model_path("en-us/cmudict-en-us.dict")).open(encoding="utf-8") as file:
        entries = (line.rstrip("\n").partition(" ") for line in file)
        return {word: sounds for word, _, sounds in entries if sounds}
