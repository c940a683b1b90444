"""Phones of the International Phonetic Alphabet -> the phoneme with the most similar lips, jaw and tongue tip."""

from __future__ import annotations

import re

# The first entry that a phone's IPA starts with decides. Capital letters are the diphthongs of the Misaki alphabet.
_NEAREST = (
    ("CH", "tʃ tɕ tʂ ʧ ʨ"), ("JH", "dʒ dʑ dʐ ʤ ʥ"), ("S", "ts ʦ"), ("Z", "dz ʣ"), ("AY", "aɪ ai I"), ("AW", "aʊ au W"),
    ("EY", "eɪ ei A"), ("OW", "oʊ əʊ ou O Q"), ("OY", "ɔɪ ɔø Y"), ("AA", "a ɑ ʕ"), ("AH", "ɐ ʌ ə ɤ ᵊ"), ("AE", "æ"),
    ("ER", "ɚ ɜ ø œ"), ("EH", "e ɛ"), ("IH", "ɪ ɨ ᵻ"), ("IY", "i"), ("UW", "y ʏ u ʉ"), ("UH", "ʊ ɯ ɵ"),
    ("AO", "o ɔ ɒ"), ("P", "p"), ("B", "b β"), ("M", "m"), ("F", "f ɸ"), ("V", "v ʋ"), ("T", "t ʈ"),
    ("D", "d ɾ ɽ ɖ T"), ("N", "n ɲ ɳ"), ("S", "s"), ("Z", "z"), ("SH", "ʃ ɕ ʂ"), ("ZH", "ʒ ʑ ʐ"), ("K", "k q c"),
    ("G", "ɡ g ɟ ɣ"), ("NG", "ŋ"), ("L", "l ɫ ʎ ɭ ɬ"), ("R", "ɹ r ɻ"), ("HH", "ʁ ʀ x χ h ħ ɦ ç"), ("SIL", "ʔ"),
    ("TH", "θ"), ("DH", "ð"), ("W", "w ɥ"), ("Y", "j ʝ"),
)  # fmt: skip
_MARKS = re.compile("[ˈˌːˑ̩̯ʲʰˠ̃ˤ̪̝̞̺͡_|]")


def nearest_phoneme(ipa: str) -> str | None:
    """The phoneme with the most similar mouth; None for marks."""
    bare = _MARKS.sub("", ipa)
    for symbol, prefixes in _NEAREST:
        if any(bare.startswith(prefix) for prefix in prefixes.split()):
            return symbol
    return None
