"""Mouth shapes of hand-drawn animation, as Rhubarb Lip Sync names them, with start and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import NamedTuple

from facetalk.audio.visemes import OCULUS_VISEMES
from facetalk.core.motion import Motion
from facetalk.exporters.base import DEFAULTS, in_arkit_channels
from facetalk.head.model import HeadModel
from facetalk.motion.visemes import viseme_weights

OF_PHONEME = {
    "P": "A", "B": "A", "M": "A", "F": "G", "V": "G", "L": "H", "W": "F", "UW": "F", "UH": "F", "OW": "EF", "OY": "EB",
    "AO": "E", "ER": "E", "R": "E", "AA": "D", "AW": "DF", "AY": "DB", "AE": "C", "AH": "C", "EH": "C", "EY": "CB",
    "HH": "C", "IH": "B", "IY": "B", "Y": "B", "T": "B", "D": "B", "K": "B", "G": "B", "NG": "B", "N": "B", "S": "B",
    "Z": "B", "TH": "B", "DH": "B", "SH": "B", "ZH": "B", "CH": "B", "JH": "B", "SIL": "X", "NSN": "X",
}  # fmt: skip
"""Shapes of each phoneme: A closed, B teeth together, C open, D wide open, E rounded, F puckered, G lip on teeth,
H tongue up, X at rest. A diphthong has two."""

_OF_VISEME = dict(zip(OCULUS_VISEMES, "XAGBBBBBBEDCBEF", strict=True))


class Cue(NamedTuple):
    """A mouth shape from start to end, in hundredths of a second."""

    start: int
    end: int
    shape: str


class CueSheet(NamedTuple):
    """All cues of a motion, back to back."""

    source: str
    length: int
    """Hundredths of a second."""
    cues: tuple[Cue, ...]


def cue_sheet(motion: Motion, head: HeadModel) -> CueSheet:
    """Return the mouth shapes of the phonemes of a motion, or where it has none of its strongest visemes.

    Args:
        motion: for any head.
        head: the head of the motion, for channels other than ARKit's.
    """
    shapes = _spoken(motion) if motion.events_of("phoneme") else _seen(in_arkit_channels(motion, head, DEFAULTS))
    length = max(1, round(motion.duration_s * 100))
    return CueSheet(PurePath(motion.source).name, length, tuple(_joined(shapes, length)))


def _spoken(motion: Motion) -> Iterator[tuple[float, str]]:
    """When each shape begins; at rest where nothing is said."""
    clock = 0.0
    for phoneme in motion.events_of("phoneme"):
        if phoneme.start > clock:
            yield clock, "X"
        shapes = OF_PHONEME.get(phoneme.label, "X")
        for number, shape in enumerate(shapes):
            yield phoneme.start + phoneme.duration_s * number / len(shapes), shape
        clock = phoneme.end
    yield clock, "X"


def _seen(motion: Motion) -> Iterator[tuple[float, str]]:
    strongest = viseme_weights(motion).argmax(1).tolist()
    for frame, viseme in enumerate(strongest):
        yield frame / motion.fps, _OF_VISEME[OCULUS_VISEMES[viseme]]


def _joined(shapes: Iterable[tuple[float, str]], length: int) -> Iterator[Cue]:
    """One cue for neighbors alike; a shape shorter than a hundredth of a second gives way to the next."""
    start, current = 0, "X"
    for time_s, shape in shapes:
        begin = min(round(time_s * 100), length)
        if shape == current:
            continue
        if begin > start:
            yield Cue(start, begin, current)
        start, current = begin, shape
    if length > start:
        yield Cue(start, length, current)
