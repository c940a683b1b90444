import numpy as np
import pytest
import torch

from facetalk.core.spans import Span
from facetalk.data.curation.settings import SpeakerRules
from facetalk.data.curation.spans import apply_checks
from facetalk.data.curation.speaker import best_sync, score_speaking, speaking_checks, syllable_band


def syllables(count: int, seed: int) -> torch.Tensor:
    noise = torch.randn(count + 60, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool1d(noise[None], 5, 1)[0, 20 : 20 + count]


@pytest.mark.parametrize("lag", [-4, 0, 3])
def test_the_lag_of_a_late_mouth_is_positive(lag: int) -> None:
    voice = syllables(200, 0)
    found = best_sync(voice.roll(lag), voice, search_s=0.2)
    assert found.lag_s == pytest.approx(lag / 30)
    assert found.corr > 0.95


def test_the_correlation_is_the_one_that_numpy_finds() -> None:
    mouth, voice = syllables(100, 1), syllables(100, 2)
    slow = max(
        np.corrcoef(mouth[max(k, 0) : 100 + min(k, 0)], voice[max(-k, 0) : 100 - max(k, 0)])[0, 1] for k in range(-6, 7)
    )
    assert best_sync(mouth, voice, 0.2).corr == pytest.approx(max(slow, 0), abs=1e-5)


def test_a_still_mouth_follows_nothing() -> None:
    assert best_sync(torch.ones(100), syllables(100, 0), 0.2) == (0.0, 0.0)


def test_the_band_keeps_syllables_and_drops_drift() -> None:
    times = torch.arange(300) / 30
    syllable, drift = torch.sin(2 * torch.pi * 4 * times), torch.sin(2 * torch.pi * 0.15 * times)
    kept = syllable_band(syllable + 3 * drift)
    assert float((kept - syllable)[30:-30].abs().mean()) < 0.15


def test_the_dubbed_half_of_a_take_is_dropped_and_the_other_kept() -> None:
    rules, kept = SpeakerRules(), torch.zeros(900)
    seeds = range(8)
    for seed in seeds:
        mouth = syllables(900, seed)
        expected = torch.cat([mouth[:450], syllables(450, 100 + seed)])
        score = score_speaking(mouth, expected, torch.ones(900, dtype=torch.bool), rules)
        split = apply_checks([Span(0, 900)], speaking_checks(score, [], rules), min_frames=105)
        assert {rejection.reason for rejection in split.rejected} == {"not speaking"}
        for span in split.kept:
            kept[span.start : span.stop] += 1 / len(seeds)
    assert float(kept[:390].mean()) == pytest.approx(1) and float(kept[510:].mean()) < 0.25


def test_silence_is_not_speech() -> None:
    rules = SpeakerRules()
    quiet = score_speaking(syllables(300, 0), torch.zeros(300), torch.zeros(300, dtype=torch.bool), rules)
    split = apply_checks([Span(0, 300)], speaking_checks(quiet, [], rules), min_frames=105)
    assert not split.kept and split.rejected[0].reason == "no voice"


def test_of_two_faces_the_one_that_follows_the_voice_better_speaks() -> None:
    rules = SpeakerRules()
    voice = syllables(300, 0)
    voiced = torch.ones(300, dtype=torch.bool)
    speaker = score_speaking(voice, voice, voiced, rules)
    mimic = score_speaking(voice + 1.2 * syllables(300, 3), voice, voiced, rules)
    assert apply_checks([Span(0, 300)], speaking_checks(speaker, [mimic], rules), 105).kept == [Span(0, 300)]
    split = apply_checks([Span(0, 300)], speaking_checks(mimic, [speaker], rules), 105)
    assert not split.kept and split.rejected[0].reason == "another face speaks"
