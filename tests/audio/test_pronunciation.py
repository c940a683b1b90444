"""Text -> words -> phonemes."""

from __future__ import annotations

import pytest

from facetalk.audio.ipa import nearest_phoneme
from facetalk.audio.letter_sounds import latin_letters, letter_sounds
from facetalk.audio.number_words import number_words
from facetalk.audio.phonemes import PHONEME_IDS, PHONEMES
from facetalk.audio.pronunciation import pronounced, words_of


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("Hello", "HH AH L OW"),
        ("aren’t", "AA R AH N T"),
        ("zebra's", "Z IY B R AH Z"),
        ("BBFX", "B IY B IY EH F EH K S"),
        ("Blimphorp", "B L IH M F AO R P"),
        ("Büffel", "B AH F EH L"),
        ("Москва", ""),
    ],
)
def test_a_word_has_the_phonemes_of_the_dictionary_or_of_its_letters(word: str, sounds: str) -> None:
    assert " ".join(PHONEMES[phoneme] for phoneme in pronounced(word)) == sounds


def test_words_keep_their_spelling_and_numbers_are_written_out() -> None:
    assert [word.text for word in words_of("«Bob's» paid 1,250 — e.g.")] == [
        "Bob's", "paid", "one", "thousand", "two", "hundred", "fifty", "e", "g",
    ]  # fmt: skip
    assert words_of(" \n … 🙂") == []


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "zero"), ("13", "thirteen"), ("90", "ninety"), ("121", "one hundred twenty one"),
        ("007", "zero zero seven"), ("2,000,017", "two million seventeen"), ("1" * 14, " ".join(["one"] * 14)),
    ],
)  # fmt: skip
def test_numbers_are_read(digits: str, words: str) -> None:
    assert " ".join(number_words(digits)) == words


@pytest.mark.parametrize("word", ["a", "e", "qwrtzpx", "ough", "z" * 60, "psychophysiology"])
def test_any_letters_have_known_sounds(word: str) -> None:
    assert all(sound in PHONEME_IDS for sound in letter_sounds(word))


def test_letters_lose_their_accents() -> None:
    assert latin_letters("Ñandú-Łódź ß") == "nandulodzss"


def test_the_diphthongs_of_the_voice_have_their_phonemes() -> None:
    assert [nearest_phoneme(phone) for phone in "AIOQWYʤʧTˈ"] == [
        "EY", "AY", "OW", "OW", "AW", "OY", "JH", "CH", "D", None,
    ]  # fmt: skip
