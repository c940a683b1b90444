"""The seed that follows from a recording."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch

from facetalk.audio.seed import first_sound, recording_seed
from facetalk.io.audio import read_waveform
from facetalk.io.streamed_audio import StreamedAudio


def noise(seconds: float = 2.0, seed: int = 0) -> torch.Tensor:
    samples = 0.2 * torch.randn(int(16_000 * seconds), generator=torch.Generator().manual_seed(seed))
    return (samples * 32768).round() / 32768


def test_a_recording_has_one_seed_in_every_lossless_format(tmp_path: Path) -> None:
    samples = noise()
    seeds = set()
    for name, subtype in (("a.wav", "PCM_16"), ("b.flac", "PCM_16"), ("c.wav", "FLOAT")):
        soundfile.write(tmp_path / name, samples.numpy(), 16_000, subtype=subtype)
        seeds.add(recording_seed(read_waveform(tmp_path / name)))
    assert seeds == {recording_seed(samples)}


def test_streamed_audio_has_the_seed_of_its_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(70).numpy(), 44_100)
    with StreamedAudio(tmp_path / "a.wav") as audio:
        assert recording_seed(audio) == recording_seed(audio[:])


def test_rounding_errors_do_not_change_the_seed() -> None:
    samples = noise()
    assert recording_seed(samples * (1 + 1e-7)) == recording_seed(samples)


def test_every_recording_has_its_own_seed() -> None:
    seeds = [recording_seed(noise(seed=seed)) for seed in range(200)]
    seeds += [recording_seed(torch.cat([torch.zeros(40_000), noise(seed=seed)])) for seed in range(200, 400)]
    assert len(set(seeds)) == 400
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize("silence", [0, 16_000, 600_000])
def test_a_longer_recording_has_the_seed_of_its_first_part(silence: int, tmp_path: Path) -> None:
    samples = torch.cat([torch.zeros(silence), noise(8)])
    seed = recording_seed(samples)
    assert {recording_seed(samples[: silence + length]) for length in (16_000, 16_001, 50_000)} == {seed}
    assert recording_seed(torch.cat([samples, noise(3, seed=1)])) == seed
    assert recording_seed(samples[: silence + 8000]) != seed  # the second that decides is not over
    soundfile.write(tmp_path / "a.wav", samples.numpy(), 16_000, subtype="FLOAT")
    with StreamedAudio(tmp_path / "a.wav") as audio:
        assert recording_seed(audio) == seed


def test_the_hum_of_dither_is_silence() -> None:
    dither = noise(2, seed=5).sign() / 32768
    assert first_sound(dither) == 32_000
    assert first_sound(torch.cat([dither, noise()])) == 32_000


def test_silence_and_a_single_sample_have_a_seed() -> None:
    assert recording_seed(torch.zeros(16_000)) == recording_seed(torch.zeros(16_001)) == recording_seed(torch.zeros(0))
    assert recording_seed(torch.ones(1)) >= 0
