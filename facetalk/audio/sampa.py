"""EMO-DB's manual German phone labels in the alphabet of 41."""

from __future__ import annotations

import re

from facetalk.audio.phonemes import Phoneme

_NEAREST = {
    "I": "IH", "i": "IY", "n": "N", "a": "AA", "m": "M", "s": "S", "v": "V", ".": "SIL", "e": "EY", "l": "L",
    "N": "NG", "z": "Z", "@": "AH", "U": "UH", "E": "EH", "f": "F", "S": "SH", "6": "AH", "x": "HH", "X": "HH",
    "C": "HH", "o": "OW", "aI": "AY", "4": "R", "O": "AO", "Y": "UW", "y": "UW", "9": "ER", "2": "ER", "aU": "AW",
    "OY": "OY", "i6": "IY", "a6": "AA", "B": "V", "j": "Y", "V": "V", "u": "UW", "H": "HH", "h": "HH", "D": "DH",
    "L": "L", "R": "R", "r": "R", "?": "HH", "Z": "ZH", "t": "T", "d": "D", "p": "P", "b": "B", "k": "K", "g": "G",
}  # fmt: skip
"""The English phone with the most similar lips, jaw and tongue tip: rounded front vowels become rounded vowels."""

_ROW = re.compile(r"\s*([\d.]+)\s+-?\d+(?:\s(.*))?$")


def parse_lablaut(text: str, duration_s: float) -> list[Phoneme]:
    """Phonemes of a `.lablaut` file: rows of end time, color, label and remarks behind a line with `#`.

    `!t` and `tasp` are burst and breath of a /t/, `_t` its closure at the start of a word; a row without a label
    continues the phone before it.
    """
    found: list[Phoneme] = []
    clock = 0.0
    rows = text.splitlines()
    for row in rows[rows.index("#") + 1 :] if "#" in rows else []:
        match = _ROW.match(row)
        if match is None:
            continue
        end = min(float(match[1]), duration_s)
        symbol = _symbol((match[2] or "").split("\t")[0].strip())
        if end > clock:
            found.append(Phoneme(symbol or (found[-1].symbol if found else "SIL"), clock, end))
            clock = end
    if clock < duration_s:
        found.append(Phoneme("SIL", clock, duration_s))
    return found


def _symbol(label: str) -> str | None:
    if not label or label[0] in "+-(":
        return None
    return _NEAREST.get(label.split()[0].lstrip("!_").replace("asp", ""))
