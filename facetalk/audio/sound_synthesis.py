"""Synthesized sounds that are no speech: tones, chords, hums, sweeps, beeps, tunes and noise."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import SAMPLE_RATE

_HERTZ = (80.0, 3000.0)
_LOUDNESS = (0.02, 0.4)
_HARMONICS = 24


def synthesize_sound(generator: torch.Generator, seconds: float = 4.0) -> Float[Tensor, " samples"]:
    """A sound of a random kind, pitch and loudness.

    Args:
        generator: source of all choices.
        seconds: its length.

    Returns:
        16 kHz in [-1, 1].
    """
    count = round(seconds * SAMPLE_RATE)
    kind = int(torch.randint(len(_KINDS), (), generator=generator))
    sound = _KINDS[kind](count, generator)
    return sound / sound.abs().amax().clamp_min(1e-6) * _between(*_LOUDNESS, generator)


def _tone(count: int, generator: torch.Generator) -> Tensor:
    return _harmonic(torch.full((count,), _hertz(generator)), 1)


def _hum(count: int, generator: torch.Generator) -> Tensor:
    """A steady sound with overtones, like a motor or a held note."""
    return _harmonic(torch.full((count,), _between(40, 500, generator)), _HARMONICS, _between(0.3, 2, generator))


def _chord(count: int, generator: torch.Generator) -> Tensor:
    root = _hertz(generator) / 2
    return torch.stack([_harmonic(torch.full((count,), root * ratio), 3) for ratio in (1, 5 / 4, 3 / 2)]).sum(0)


def _sweep(count: int, generator: torch.Generator) -> Tensor:
    first, last = _hertz(generator), _hertz(generator)
    return _harmonic(torch.logspace(math.log10(first), math.log10(last), count), 2)


def _beeps(count: int, generator: torch.Generator) -> Tensor:
    period = round(_between(0.15, 1.2, generator) * SAMPLE_RATE)
    share = _between(0.2, 0.8, generator)
    return _tone(count, generator) * ((torch.arange(count) % period) < share * period)


def _tune(count: int, generator: torch.Generator) -> Tensor:
    length = round(_between(0.1, 0.6, generator) * SAMPLE_RATE)
    steps = torch.randint(0, 13, (count // length + 1,), generator=generator)
    hertz = _between(120, 600, generator) * 2 ** (steps / 12)
    return _harmonic(hertz.repeat_interleave(length)[:count], 6)


def _noise(count: int, generator: torch.Generator) -> Tensor:
    """From white to brown."""
    spectrum = torch.fft.rfft(torch.randn(count, generator=generator))
    slope = _between(0, 1, generator)
    return torch.fft.irfft(spectrum * (torch.arange(len(spectrum)) + 20.0) ** -slope, count)


_KINDS = (_tone, _hum, _chord, _sweep, _beeps, _tune, _noise)


def _harmonic(hertz: Float[Tensor, " samples"], overtones: int, slope: float = 1.0) -> Float[Tensor, " samples"]:
    """A sound of this pitch, whose overtones grow softer."""
    phase = 2 * math.pi * torch.cumsum(hertz.double(), 0) / SAMPLE_RATE
    parts = torch.zeros(len(hertz))
    for number in range(1, overtones + 1):
        heard = number * hertz < SAMPLE_RATE / 2
        parts += (heard * torch.sin(number * phase)).float() / number**slope
    return parts


def _hertz(generator: torch.Generator) -> float:
    low, high = (math.log(value) for value in _HERTZ)
    return math.exp(_between(low, high, generator))


def _between(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))
