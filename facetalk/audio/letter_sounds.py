"""Spelling -> phonemes by rules: for names and other words that no dictionary has, and roughly for other languages.

The consonants, on which lips close or touch the teeth, are mostly right; vowels are those of English spelling.
"""

from __future__ import annotations

import unicodedata

# Longest first; `$` is the end of a word, `^` its start.
_RULES = {
    "^kn": "N", "^wr": "R", "^ps": "S", "^x": "Z", "^y": "Y", "tion": "SH AH N", "sion": "ZH AH N", "ture": "CH ER",
    "ough": "AO", "igh": "AY", "tch": "CH", "sch": "SH", "dge": "JH", "eau": "OW", "mb$": "M", "es$": "Z",
    "ed$": "D", "ey$": "IY", "le$": "AH L", "er$": "ER", "ce": "S EH", "ci": "S IH", "cy": "S IY", "ch": "CH",
    "ck": "K", "gh": "G", "gn": "N", "ph": "F", "qu": "K W", "sh": "SH", "th": "TH", "wh": "W", "ng": "NG",
    "zh": "ZH", "ai": "EY", "ay": "EY", "au": "AO", "aw": "AO", "ea": "IY", "ee": "IY", "ei": "AY", "eu": "UW",
    "ew": "UW", "ie": "IY", "oa": "OW", "oi": "OY", "oo": "UW", "ou": "AW", "ow": "OW", "oy": "OY", "ue": "UW",
    "ar": "AA R", "er": "ER", "ir": "ER", "or": "AO R", "ur": "ER", "e$": "", "y$": "IY", "a": "AE", "b": "B",
    "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K", "l": "L",
    "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V", "w": "W",
    "x": "K S", "y": "IH", "z": "Z",
}  # fmt: skip
_VOWELS = "aeiouy"
_PLAIN = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe", "ł": "l", "đ": "d", "ð": "th", "þ": "th", "ı": "i"}
LETTER_NAMES = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH", "i": "AY",
    "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY", "q": "K Y UW",
    "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S",
    "y": "W AY", "z": "Z IY",
}  # fmt: skip
"""How the letters of an abbreviation are read."""


def latin_letters(word: str) -> str:
    """The letters a to z of a word, without accents; empty for other scripts."""
    plain = "".join(_PLAIN.get(letter, letter) for letter in word.lower())
    return "".join(letter for letter in unicodedata.normalize("NFKD", plain) if "a" <= letter <= "z")


def letter_sounds(word: str) -> list[str]:
    """Phonemes of a word by its spelling.

    Args:
        word: letters a to z.
    """
    found: list[str] = []
    place = 0
    while place < len(word):
        for length in range(4, 0, -1):
            part = word[place : place + length]
            keys = (f"^{part}" * (place == 0), f"{part}$" * (place + length >= len(word) > length), part)
            key = next((key for key in keys if key in _RULES and len(part) == length), None)
            if key is not None:
                break
        else:
            raise ValueError(f"{word!r:.40} has letters other than a to z")
        sounds = _RULES[key].split()
        found += [sound for sound in sounds if not found or sound != found[-1] or word[place] in _VOWELS]
        place += length
    return found
