import pytest
import torch

from facetalk.audio.articulation import ARTICULATORS, articulation
from facetalk.audio.phonemes import PHONEMES, Phoneme


def curve(symbols: list[str], name: str, each_s: float = 0.1) -> torch.Tensor:
    phonemes = [Phoneme(symbol, i * each_s, (i + 1) * each_s) for i, symbol in enumerate(symbols)]
    times = torch.arange(len(symbols)) * each_s + each_s / 2
    return articulation(phonemes, times)[:, ARTICULATORS.index(name)]


def test_lips_close_on_p_and_nowhere_else() -> None:
    closure = curve(["AA", "P", "AA", "T", "AA"], "closure")
    assert closure[1] > 0.8
    assert closure[[0, 2, 3, 4]].max() < 0.2


def test_open_vowels_drop_the_jaw_more_than_close_ones() -> None:
    jaw = curve(["SIL", "AA", "T", "IY", "SIL"], "jaw")
    assert jaw[1] > 2 * jaw[3] > 0


def test_a_rounded_vowel_rounds_the_consonant_before_it() -> None:
    assert curve(["SIL", "T", "UW"], "round")[1] > curve(["SIL", "T", "IY"], "round")[1] + 0.1


def test_a_diphthong_moves_between_its_vowels() -> None:
    jaw = articulation([Phoneme("AY", 0.0, 0.4)], torch.tensor([0.05, 0.35]))[:, ARTICULATORS.index("jaw")]
    assert jaw[0] > jaw[1] + 0.2


@pytest.mark.parametrize("symbol", PHONEMES)
def test_every_phoneme_has_positions_between_zero_and_one(symbol: str) -> None:
    positions = articulation([Phoneme(symbol, 0.0, 0.3)], torch.linspace(0, 0.5, 7))
    assert bool(torch.isfinite(positions).all())
    assert positions.min() >= 0
    assert positions.max() <= 1


def test_without_phonemes_the_mouth_is_shut() -> None:
    assert articulation([], torch.tensor([0.0, 0.1]))[:, ARTICULATORS.index("aperture")].abs().max() == 0
