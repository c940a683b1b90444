"""Speech relative to its running level: the same in pieces, at any loudness, and whatever comes later."""

from __future__ import annotations

import pytest
import torch

from facetalk.audio.leveled import LeveledStream, LeveledWaveform


def speech(seconds: float) -> torch.Tensor:
    """Noise in syllables, with pauses."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(round(16_000 * seconds), generator=generator)
    seconds_at = torch.arange(len(noise)) / 16_000
    return 0.1 * noise * torch.sin(9 * seconds_at) ** 2 * (seconds_at % 3 < 2)


def test_speech_has_unit_variance_at_any_loudness() -> None:
    waveform = speech(12.0)
    for gain in (0.1, 1.0, 9.0):
        leveled = LeveledWaveform(gain * waveform)[16_000 * 3 :]
        assert 0.7 < float(leveled.std()) < 1.4
    assert torch.isfinite(LeveledWaveform(torch.zeros(5000))[:]).all()


def test_noise_is_not_taken_for_speech() -> None:
    assert float(LeveledWaveform(1e-5 * torch.randn(32_000))[:].abs().max()) < 0.1


def test_the_beginning_does_not_depend_on_what_comes_later() -> None:
    waveform = speech(6.0)
    louder = torch.cat([waveform, 20 * waveform])
    assert torch.equal(LeveledWaveform(louder)[: 16_000 * 5], LeveledWaveform(waveform)[: 16_000 * 5])


@pytest.mark.parametrize("part", [slice(0, 700), slice(333, 334), slice(5000, 9001), slice(-77, None), slice(0, 0)])
def test_any_part_can_be_read(part: slice) -> None:
    leveled = LeveledWaveform(speech(1.0))
    assert len(leveled) == 16_000
    assert torch.equal(leveled[part], leveled[:][part])


@pytest.mark.parametrize("size", [160, 999, 1600, 50_000])
def test_a_stream_gives_the_samples_of_the_whole(size: int) -> None:
    waveform = speech(2.01)
    stream, parts, heard = LeveledStream(), [], 0
    for piece in waveform.split(size):
        known, none = stream.feed(piece)
        assert len(none) == 0
        heard += len(piece)
        parts.append(known)
        assert heard - sum(map(len, parts)) < 0.7 * 16_000
    known, ending = stream.feed(torch.zeros(0), with_ending=True)
    torch.testing.assert_close(torch.cat([*parts, known, ending]), LeveledWaveform(waveform)[:], rtol=1e-5, atol=1e-6)


def test_an_ending_is_not_taken() -> None:
    waveform = speech(2.0)
    stream = LeveledStream()
    known, ending = stream.feed(waveform[:16_000], with_ending=True)
    torch.testing.assert_close(torch.cat([known, ending]), LeveledWaveform(waveform[:16_000])[:], rtol=1e-5, atol=1e-6)
    more, rest = stream.feed(waveform[16_000:], with_ending=True)
    torch.testing.assert_close(torch.cat([known, more, rest]), LeveledWaveform(waveform)[:], rtol=1e-5, atol=1e-6)
