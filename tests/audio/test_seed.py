"""The seed that follows from a recording."""

from __future__ import annotations

from pathlib import Path

import soundfile
import torch

from facetalk.audio.seed import recording_seed
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
    seeds += [recording_seed(noise()[:length]) for length in range(30_000, 30_200)]
    assert len(set(seeds)) == 400
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_silence_and_a_single_sample_have_a_seed() -> None:
    assert recording_seed(torch.zeros(16_000)) != recording_seed(torch.zeros(16_001))
    assert recording_seed(torch.ones(1)) >= 0
