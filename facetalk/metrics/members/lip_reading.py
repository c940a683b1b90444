"""Lip reading: phoneme and viseme error rates of a lip reader that sees the mouth and nothing else.

(substitutions + deletions + insertions) / phonemes heard, as SPECTRE (Filntisis et al. 2023) evaluates with characters,
words and visemes. The lip reader is facetalk's own small one, which is weak: compare with the rates of the reference's
mouth, which stand beside. Equal phonemes or visemes in a row
count as one, because nobody sees where the second begins.
"""

from __future__ import annotations

from collections.abc import Sequence

from facetalk.metrics.base import Evidence, Measured, NotOfferedError
from facetalk.metrics.sequences import error_rate, without_repetitions


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    reading = clips.reading()
    if not reading.heard:
        raise NotOfferedError("needs speech; none is heard")

    def visemes(phonemes: Sequence[int]) -> list[int]:
        return without_repetitions([reading.viseme_of_phoneme[phoneme] for phoneme in phonemes])

    figures = {}
    for name, seen in (("", reading.predicted), ("_reference", reading.reference)):
        figures[f"phoneme_error_rate{name}"] = error_rate(seen, reading.heard)
        figures[f"viseme_error_rate{name}"] = error_rate(visemes(seen), visemes(reading.heard))
    return Measured(figures)
