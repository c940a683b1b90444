import itertools

import pytest
import torch

from facetalk.audio.activity import loudness_db, phrases, speech_activity


def burst(level: float, noise: float = 1e-3) -> torch.Tensor:
    """Noise, with a loud second from 1 s to 2 s."""
    waveform = torch.randn(48_000, generator=torch.Generator().manual_seed(0)) * noise
    waveform[16_000:32_000] *= level / noise
    return waveform


def test_the_loud_second_is_found() -> None:
    active = speech_activity(burst(0.1), hold_s=0.0)
    assert active[30:60].float().mean() > 0.95
    assert active[:29].float().mean() < 0.05


def test_the_gain_does_not_matter() -> None:
    assert torch.equal(speech_activity(burst(0.1, 2e-3)), speech_activity(burst(0.1, 2e-3) * 3))


def test_short_gaps_are_closed() -> None:
    waveform = burst(0.1)
    waveform[24_000:26_000] *= 0.01
    assert speech_activity(waveform, hold_s=0.15)[30:60].all()


def test_silence_is_not_speech() -> None:
    assert not speech_activity(torch.zeros(16_000)).any()
    assert not speech_activity(torch.randn(16_000) * 1e-4).any()


def test_a_full_scale_square_wave_has_zero_decibels() -> None:
    torch.testing.assert_close(loudness_db(torch.ones(16_000)), torch.zeros(30))


def test_phrases_last_as_long_as_the_speech_and_end_at_pauses() -> None:
    (phrase,) = phrases(burst(0.1))
    assert phrase.kind == "phrase"
    assert (phrase.start, phrase.end) == pytest.approx((1.0, 2.0), abs=0.07)
    waveform = burst(0.1)
    waveform[22_400:28_800] *= 0.01
    assert [(round(p.start, 1), round(p.end, 1)) for p in phrases(waveform)] == [(1.0, 1.4), (1.8, 2.0)]
    assert phrases(torch.zeros(16_000)) == ()


def test_loudness_does_not_depend_on_the_blocks_that_are_read() -> None:
    waveform = torch.randn(16_000 * 65 + 123, generator=torch.Generator().manual_seed(0)) * 0.1
    edges = [min(round(frame * 16_000 / 30), len(waveform)) for frame in range(1951)]
    parts = [waveform[start:stop] for start, stop in itertools.pairwise(edges)]
    expected = torch.stack([20 * part.square().mean().sqrt().log10() for part in parts])
    torch.testing.assert_close(loudness_db(waveform), expected, atol=1e-3, rtol=0)
