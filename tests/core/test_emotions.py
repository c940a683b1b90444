"""Emotions by name, in mixtures, in the plane of valence and arousal, and over time."""

from __future__ import annotations

import pytest
import torch

from facetalk.core.circumplex import PLACES, amounts_at
from facetalk.core.emotions import (
    EMOTIONS,
    MAX_LEVEL,
    SYNONYMS,
    EmotionTrack,
    emotion_named,
    level_row,
    parse_emotions,
)
from facetalk.core.errors import UsageError


def levels(text: str) -> dict[str, float]:
    (row,) = parse_emotions(text).levels.tolist()
    return {name: round(level, 3) for name, level in zip(EMOTIONS, row, strict=True) if level}


def test_every_emotion_has_other_words_and_no_word_two_meanings() -> None:
    words = [word for name in EMOTIONS for word in (name, *SYNONYMS[name].split())]
    assert len(set(words)) == len(words) and set(SYNONYMS) == set(EMOTIONS)
    assert all(emotion_named(f" {name.upper()} ") == name for name in EMOTIONS)
    assert emotion_named("Joy") == "happy"
    assert emotion_named("afraid") == "fear"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("happy", {"happy": 2.0}),
        ("joy:3", {"happy": 3.0}),
        ("Anger : 0.5", {"angry": 0.5}),
        ("happy,surprised", {"happy": 1.0, "surprised": 1.0}),
        ("happy:0.5,surprised:0.5", {"happy": 0.5, "surprised": 0.5}),
        ("neutral", {}),
        ("calm:3, sad:1", {"sad": 1.0}),
        ("va:0,0", {}),
        ("VA:0.81,0.51", {"happy": 3.0}),
    ],
)
def test_a_text_names_emotions_and_levels(text: str, meant: dict[str, float]) -> None:
    assert levels(text) == meant


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hapy", "unknown emotion 'hapy'; did you mean happy"),
        ("zzz", "known: neutral, happy, sad"),
        ("", "write it as happy"),
        ("happy,", "write it as happy"),
        (":2", "write it as happy"),
        ("happy:", "not a finite number"),
        ("happy:nan", "not a finite number"),
        ("happy:4", "level of happy is 4; it must lie between 0 and 3"),
        ("happy:-1", "between 0 and 3"),
        ("happy:2,sad:2", "sum to 4; at most 3"),
        ("happy,sad:1", "'happy' has no level while others have one"),
        ("happy:1,joy:1", "the same emotion occurs twice"),
        ("va:0.5", "write valence and arousal as va:0.6,-0.3"),
        ("va:2,0", "between -1 and 1"),
        ("va:a,0", "not a finite number"),
        ("happy" * 10_000, "unknown emotion"),
    ],
)
def test_what_is_no_emotion_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as found:
        parse_emotions(text)
    assert "\n" not in str(found.value) and len(str(found.value)) < 250


def test_the_plane_has_each_emotion_at_its_place_and_nothing_beyond_the_limit() -> None:
    for valence, arousal, shares in PLACES:
        assert amounts_at(valence, arousal) == pytest.approx(shares)
    grid = torch.linspace(-1, 1, 21).tolist()
    for valence in grid:
        for arousal in grid:
            amounts = amounts_at(valence, arousal)
            assert sum(amounts.values()) <= 1 + 1e-9 and all(amount > 0 for amount in amounts.values())
    assert amounts_at(0.6, -0.3)["happy"] > 0.25, "pleasant calm shows a slight smile"
    assert amounts_at(-0.5, -0.4)["sad"] > 0.4


def test_a_track_is_linear_between_its_times_and_constant_beyond() -> None:
    track = EmotionTrack(torch.tensor([1.0, 2.0]), torch.stack([level_row({"happy": 2}), level_row({"sad": 1})]))
    found = track.at(torch.tensor([0.0, 1.25, 9.0]))
    assert found[:, EMOTIONS.index("happy")].tolist() == [2.0, 1.5, 0.0]
    assert found[:, EMOTIONS.index("sad")].tolist() == [0.0, 0.25, 1.0]
    assert track.shown == ("happy", "sad")
    assert track.frames(61)[45, EMOTIONS.index("happy")] == pytest.approx(1.0)
    assert parse_emotions("neutral").shown == ()


def test_any_track_stays_within_the_limit_between_its_points() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(20, len(EMOTIONS), generator=generator)
    rows[:, 0] = 0
    rows *= MAX_LEVEL / rows.sum(1, keepdim=True)
    track = EmotionTrack(torch.rand(20, generator=generator).cumsum(0), rows)
    assert float(track.frames(400).sum(1).max()) <= MAX_LEVEL + 1e-4


@pytest.mark.parametrize(
    ("times", "row"),
    [
        ([0.0, 0.0], [0, 1.0, 0, 0, 0, 0, 0, 0]),
        ([0.0, float("nan")], [0, 1.0, 0, 0, 0, 0, 0, 0]),
        ([0.0, 1.0], [0, -1.0, 0, 0, 0, 0, 0, 0]),
        ([0.0, 1.0], [1.0, 0, 0, 0, 0, 0, 0, 0]),
        ([0.0, 1.0], [0, 2.0, 2.0, 0, 0, 0, 0, 0]),
        ([0.0, 1.0], [0, 2.0]),
    ],
)
def test_a_track_checks_itself(times: list[float], row: list[float]) -> None:
    with pytest.raises(ValueError):
        EmotionTrack(torch.tensor(times), torch.tensor([row, row]))
