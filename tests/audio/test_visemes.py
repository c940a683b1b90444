from __future__ import annotations

from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.visemes import VISEMES, viseme_of_phoneme


def test_every_phoneme_has_one_viseme() -> None:
    assert sorted(symbol for viseme in VISEMES for symbol in viseme) == sorted(PHONEMES)
    assert viseme_of_phoneme()[PHONEMES.index("B")] == viseme_of_phoneme()[PHONEMES.index("M")] == 0
