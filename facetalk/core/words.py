"""Names out of other programs as words: the same words stand for the same thing, however they are joined."""

from __future__ import annotations

import re

_COPY = re.compile(r"\.\d{3}$")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
LONGEST = 200
"""Characters of a name that are read."""


def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `CC_Base_L_Eye`, `leftEye.001` and `ARKit.jawOpen` have (cc, base, l, eye),
    (left, eye) and (ar, kit, jaw, open). The number that Blender gives to a copy does not count.
    """
    return tuple(word.lower() for word in _WORD.findall(_COPY.sub("", name[:LONGEST])))
