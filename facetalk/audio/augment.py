"""Augmentation of speech: rooms, microphones, noise, and vocal tracts of other lengths."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import SAMPLE_RATE


@dataclass(frozen=True)
class AugmentConfig:
    """How often and how strongly; every `share` is the fraction of the examples that is changed."""

    equalize_share: float = 0.6
    equalize_db: float = 6.0
    narrow_share: float = 0.2
    """Band-limited: telephone or dull microphone."""
    reverb_share: float = 0.3
    noise_share: float = 0.6
    noise_db: tuple[float, float] = (5.0, 40.0)
    """Range of the signal-to-noise ratio."""
    babble_share: float = 0.2
    """Other examples of the batch in the background, at least 8 dB below."""
    level_db: float = 4.0
    """Standard deviation of the level."""
    throat: float = 0.08
    """Largest stretch of the mel axis, which moves the formants as a vocal tract of another length does."""
    masks: int = 2
    """Number of SpecAugment's masks on each axis."""
    mask_steps: int = 12
    mask_mels: int = 10


def augment_waveform(
    waveform: Float[Tensor, "batch samples"], config: AugmentConfig, generator: torch.Generator
) -> Float[Tensor, "batch samples"]:
    """Each example filtered, reverberated and mixed with noise, with its power kept before the noise."""
    batch, samples = waveform.shape
    power = waveform.square().mean(1, keepdim=True).clamp_min(1e-9)
    size = 2 ** math.ceil(math.log2(samples + SAMPLE_RATE // 4))
    spectrum = torch.fft.rfft(waveform, size)
    spectrum = spectrum * _equalizer(batch, spectrum.shape[1], config, generator)
    reverb = _pick(batch, config.reverb_share, generator)[:, None]
    spectrum = torch.where(reverb, spectrum * torch.fft.rfft(_rooms(batch, generator), size), spectrum)
    filtered = torch.fft.irfft(spectrum, size)[:, :samples]
    filtered = filtered * (power / filtered.square().mean(1, keepdim=True).clamp_min(1e-9)).sqrt()
    babble = filtered.roll(1, 0) * 10 ** (-_uniform(batch, 8, 25, generator)[:, None] / 20)
    filtered = filtered + babble * _pick(batch, config.babble_share, generator)[:, None]
    hiss = _noise(batch, samples, size, generator)
    ratio = 10 ** (-_uniform(batch, *config.noise_db, generator)[:, None] / 20)
    return filtered + hiss * power.sqrt() * ratio * _pick(batch, config.noise_share, generator)[:, None]


def augment_mel(
    mel: Float[Tensor, "batch steps mels"], config: AugmentConfig, generator: torch.Generator
) -> Float[Tensor, "batch steps mels"]:
    """Each example louder or softer, with shifted formants and with masks in time and frequency."""
    batch, steps, mels = mel.shape
    mel = mel + torch.randn(batch, 1, 1, generator=generator) * (config.level_db / 10 * math.log(10))
    stretch = 1 + config.throat * _uniform(batch, -1, 1, generator)
    place = (torch.arange(mels) * stretch[:, None]).clamp(0, mels - 1)
    low = place.long().clamp(max=mels - 2)
    take = low[:, None].expand(batch, steps, mels)
    mel = torch.lerp(mel.gather(2, take), mel.gather(2, take + 1), (place - low)[:, None])
    blank = mel.mean((1, 2), keepdim=True)
    for axis, length, longest in ((1, steps, config.mask_steps), (2, mels, config.mask_mels)):
        for _ in range(config.masks):
            width = _uniform(batch, 0, longest, generator)
            start = _uniform(batch, 0, length, generator)
            index = torch.arange(length)
            masked = (index >= start[:, None]) & (index < (start + width)[:, None])
            mel = torch.where(masked.unsqueeze(3 - axis), blank, mel)
    return mel


def _equalizer(batch: int, bins: int, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Smooth random gain over frequency; for some examples only a band of it."""
    points = torch.randn(batch, 1, 7, generator=generator) * config.equalize_db
    decibels = torch.nn.functional.interpolate(points, bins, mode="linear", align_corners=True)[:, 0]
    gain = torch.where(_pick(batch, config.equalize_share, generator)[:, None], 10 ** (decibels / 20), 1.0)
    hertz = torch.linspace(0, SAMPLE_RATE / 2, bins)
    floor = _uniform(batch, 50, 350, generator)[:, None]
    ceiling = _uniform(batch, 3000, 7000, generator)[:, None]
    band = torch.sigmoid((hertz - floor) / 30) * torch.sigmoid((ceiling - hertz) / 100)
    return torch.where(_pick(batch, config.narrow_share, generator)[:, None], gain * band, gain)


def _rooms(batch: int, generator: torch.Generator) -> Tensor:
    """Impulse responses: the direct sound and a decaying tail of 0.25 s."""
    length = SAMPLE_RATE // 4
    decay_s = _uniform(batch, 0.1, 0.6, generator)[:, None]
    tail = torch.randn(batch, length, generator=generator) * 10 ** (-3 * torch.arange(length) / SAMPLE_RATE / decay_s)
    tail = tail / tail.norm(dim=1, keepdim=True) * _uniform(batch, 0.1, 0.7, generator)[:, None]
    tail[:, 0] = 1
    return tail


def _noise(batch: int, samples: int, size: int, generator: torch.Generator) -> Tensor:
    """Noise of unit power, from white to brown."""
    spectrum = torch.fft.rfft(torch.randn(batch, size, generator=generator))
    slope = _uniform(batch, 0, 1, generator)[:, None]
    spectrum = spectrum * (torch.arange(spectrum.shape[1]) + 20.0) ** -slope
    noise = torch.fft.irfft(spectrum, size)[:, :samples]
    return noise / noise.square().mean(1, keepdim=True).sqrt()


def _pick(batch: int, share: float, generator: torch.Generator) -> Tensor:
    return torch.rand(batch, generator=generator) < share


def _uniform(batch: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(batch, generator=generator)
