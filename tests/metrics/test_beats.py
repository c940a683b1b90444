"""Beats of movement and speech at known times, and the score by hand."""

from __future__ import annotations

import math

import pytest
import torch

from facetalk.metrics.beats import beat_alignment, chance_alignment, movement_beats, speech_beats

FPS = 30.0


def test_a_head_turns_where_its_speed_is_lowest() -> None:
    clock = torch.arange(120, dtype=torch.float64) / FPS
    beats = movement_beats((2 * math.pi * clock).cos().abs(), FPS)  # lowest at 1/4, 3/4, ...
    torch.testing.assert_close(beats, torch.arange(8) / 2 + 0.25, atol=1 / FPS, rtol=0, check_dtype=False)
    assert len(movement_beats(torch.zeros(50), FPS)) == 0
    assert len(movement_beats(torch.ones(2), FPS)) == 0


def test_speech_beats_are_the_onsets_of_syllables() -> None:
    loudness = torch.full((150,), -50.0)
    for onset in (30, 60, 105):
        loudness[onset : onset + 12] = -20.0
    beats = speech_beats(loudness, FPS)
    torch.testing.assert_close(beats, torch.tensor([1.0, 2.0, 3.5], dtype=torch.float64), atol=1.1 / FPS, rtol=0)
    assert len(speech_beats(torch.full((90,), -30.0), FPS)) == 0
    assert len(speech_beats(torch.zeros(1), FPS)) == 0


def test_the_score_is_a_gaussian_of_the_distance_to_the_nearest_beat() -> None:
    beats, others = torch.tensor([1.0, 2.0]), torch.tensor([1.05, 5.0])
    expected = (math.exp(-0.5) + math.exp(-0.5 * (0.95 / 0.05) ** 2)) / 2
    assert beat_alignment(beats, others) == pytest.approx(expected, rel=1e-5)
    assert beat_alignment(others, others) == 1
    assert math.isnan(beat_alignment(beats, torch.zeros(0))) and math.isnan(beat_alignment(torch.zeros(0), beats))


def test_chance_grows_with_the_density_of_beats() -> None:
    generator = torch.Generator().manual_seed(0)
    sparse, dense = (10 * torch.rand(size, generator=generator, dtype=torch.float64) for size in (5, 40))
    few, many = chance_alignment(dense, sparse, 10.0), chance_alignment(sparse, dense, 10.0)
    assert beat_alignment(sparse, sparse) == 1 > many > few
    # Five beats cover sqrt(2 pi) sigma seconds each of ten.
    assert few == pytest.approx(5 * math.sqrt(2 * math.pi) * 0.05 / 10, rel=0.5)
