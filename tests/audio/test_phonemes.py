import pytest
import torch

from facetalk.audio.phoneme_features import PhonemeFeatures
from facetalk.audio.phonemes import (
    PHONEMES,
    SILENCE,
    Phoneme,
    _covering,
    align_words,
    find_phonemes,
    frame_labels,
    normalize_words,
    phone_loop,
)
from facetalk.core.errors import FacetalkError


def noise(seconds: float) -> torch.Tensor:
    return torch.randn(round(16_000 * seconds), generator=torch.Generator().manual_seed(1)) * 0.05


def test_the_alphabet_is_styletalks() -> None:
    assert len(PHONEMES) == 41
    assert list(PHONEMES) == sorted(PHONEMES)
    assert SILENCE == 31
    assert PHONEMES.index("NSN") == 24


def test_a_frame_takes_the_phoneme_in_its_middle() -> None:
    phonemes = [Phoneme("SIL", 0.0, 0.1), Phoneme("B", 0.1, 0.15), Phoneme("AA", 0.15, 0.3)]
    names = [PHONEMES[label] for label in frame_labels(phonemes, 10)]
    # Middles lie at 0.0167, 0.05, 0.0833, 0.1167, 0.15, ...; behind the last phoneme there is silence.
    assert names == ["SIL"] * 3 + ["B"] + ["AA"] * 5 + ["SIL"]


def test_phones_do_not_depend_on_what_was_heard_before() -> None:
    times = torch.arange(24_000) / 16_000
    hum = sum(torch.sin(2 * torch.pi * 120 * k * times) / k for k in range(1, 20)) * 0.2
    voiced = hum * (torch.sin(2 * torch.pi * 3 * times) > 0)
    first = phone_loop(voiced)
    phone_loop(noise(2.0))
    assert phone_loop(voiced) == first and {phoneme.symbol for phoneme in first} != {"SIL"}


def test_words_lose_case_and_punctuation() -> None:
    assert normalize_words("It's easy, to TELL.") == ["it's", "easy", "to", "tell"]


def test_segments_become_phonemes_without_gaps_and_without_the_padding() -> None:
    # 0.1 s of padding is 10 steps; between step 40 and 45 nothing was found.
    found = _covering([("SIL", 0, 20), ("B", 20, 20), ("+SPN+", 45, 15), ("SIL", 60, 5)], 0.6)
    assert [phoneme.symbol for phoneme in found] == ["SIL", "B", "SIL", "NSN", "SIL"]
    edges = [found[0].start_s, *(phoneme.end_s for phoneme in found)]
    assert edges == pytest.approx([0.0, 0.1, 0.3, 0.35, 0.5, 0.6])
    assert [phoneme.start_s for phoneme in found] == edges[:-1]


def test_the_phone_loop_covers_the_waveform_with_known_symbols() -> None:
    found = phone_loop(noise(0.6))
    assert {phoneme.symbol for phoneme in found} <= set(PHONEMES)
    assert sum(phoneme.end_s - phoneme.start_s for phoneme in found) == pytest.approx(0.6)


def test_a_word_outside_the_dictionary_is_named() -> None:
    with pytest.raises(FacetalkError, match="zzyzxq"):
        align_words(noise(0.5), ["blue", "zzyzxq"])


def test_a_transcript_without_words_is_refused() -> None:
    with pytest.raises(FacetalkError, match="no words"):
        find_phonemes(noise(0.5), "...")


def test_a_transcript_that_is_far_too_long_is_refused() -> None:
    with pytest.raises(FacetalkError, match="does not match the speech"):
        align_words(noise(0.2), ["extraordinary", "circumstances", "communication"])


@pytest.mark.data
def test_a_known_sentence_is_found_where_it_is_spoken(data_dir) -> None:
    from facetalk.io.audio import read_waveform

    waveform = read_waveform(data_dir / "video/grid/lbax4n.mp4")
    found = find_phonemes(waveform, "lay blue at x four now")
    spoken = [phoneme for phoneme in found if phoneme.symbol != "SIL"]
    assert [phoneme.symbol for phoneme in spoken][:4] == ["L", "EY", "B", "L"]
    assert 0.3 < spoken[0].start_s < 0.6
    assert 1.9 < spoken[-1].end_s < 2.2


def test_features_are_addressed_by_the_names_of_phonemes() -> None:
    features = PhonemeFeatures()
    assert features.columns("P", "B", "M") == tuple(PHONEMES.index(name) for name in ("P", "B", "M"))
    assert features.columns() == ()
    with pytest.raises(ValueError, match="no column for QU"):
        features.columns("P", "QU")
