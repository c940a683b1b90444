"""Synthesized sounds: varied, repeatable, and within bounds."""

from __future__ import annotations

import torch

from facetalk.audio import sound_synthesis
from facetalk.audio.sound_synthesis import synthesize_sound


def test_every_kind_of_sound_fits_the_range_of_audio() -> None:
    for kind, make in enumerate(sound_synthesis._KINDS):
        sound = make(16_000, torch.Generator().manual_seed(kind))
        assert sound.shape == (16_000,) and sound.dtype == torch.float32
        assert bool(torch.isfinite(sound).all()) and float(sound.std()) > 0.01


def test_sounds_vary_and_the_same_seed_gives_the_same_one() -> None:
    first, again = (synthesize_sound(torch.Generator().manual_seed(3), 0.5) for _ in range(2))
    assert torch.equal(first, again) and first.shape == (8000,)
    generator = torch.Generator().manual_seed(0)
    sounds = [synthesize_sound(generator, 0.2) for _ in range(20)]
    assert all(float(sound.abs().max()) <= 0.4 for sound in sounds)
    assert len({round(float(sound.std()), 5) for sound in sounds}) == 20


def test_a_tune_has_the_pitch_of_its_notes() -> None:
    hertz = torch.full((16_000,), 440.0)
    spectrum = torch.fft.rfft(sound_synthesis._harmonic(hertz, 1)).abs()
    assert int(spectrum.argmax()) == 440
    assert float(sound_synthesis._harmonic(torch.full((160,), 7000.0), 3).abs().max()) <= 1.0  # nothing is folded back
