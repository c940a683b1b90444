"""Synthetic laughs, because recorded ones are rare: bouts of voiced bursts that begin with breath.

A bout is a sequence of short calls, four to six a second, slowing down and fading, each a puff of breath that turns
into a voiced burst whose pitch rises and falls (measured by Bachorowski, Smoski and Owren 2001). There are two methods:
a source-filter model, and vowel-like bursts cut out of speech.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import lfilter
from torch import Tensor

from facetalk.core.timing import SAMPLE_RATE

_FORMANTS_HZ = ((750, 1250, 2600), (620, 1700, 2550), (520, 1500, 2500), (500, 1000, 2450), (380, 2100, 2900))
"""a, ae, schwa, o, i of an average vocal tract: vowels in laughs are mostly open and central."""
_BANDWIDTHS_HZ = (90, 110, 160)


@dataclass(frozen=True)
class Bout:
    """When the calls of a laugh happen."""

    starts_s: tuple[float, ...]
    lengths_s: tuple[float, ...]
    gains: tuple[float, ...]
    duration_s: float


def sample_bout(generator: torch.Generator) -> Bout:
    """A sequence of 3 to 12 calls, slowing down and fading."""
    count = int(torch.randint(3, 13, (), generator=generator))
    period = 1 / _uniform(3.8, 6.5, generator)
    slowing, fading = _uniform(1.0, 1.06, generator), _uniform(0.8, 1.0, generator)
    starts, lengths, gains, now = [], [], [], 0.0
    for call in range(count):
        length = period * _uniform(0.35, 0.65, generator)
        starts.append(now)
        lengths.append(length)
        gains.append(fading**call * _uniform(0.6, 1.0, generator))
        now += period * _uniform(0.9, 1.1, generator)
        period *= slowing
    return Bout(tuple(starts), tuple(lengths), tuple(gains), starts[-1] + lengths[-1] + 0.05)


def synthesize_laugh(generator: torch.Generator) -> Float[Tensor, " samples"]:
    """A bout from a source-filter model: a glottal sawtooth and breath noise through three formants. Peak 1."""
    bout = sample_bout(generator)
    samples = round(bout.duration_s * SAMPLE_RATE)
    pitch, loud, breath = np.full(samples, 200.0), np.zeros(samples), np.zeros(samples)
    base_hz = math.exp(_uniform(math.log(120), math.log(520), generator))
    voiced = (
        _uniform(0.6, 1.0, generator) if torch.rand((), generator=generator) < 0.8 else _uniform(0.0, 0.1, generator)
    )
    puff = _uniform(0.1, 0.5, generator)
    for call, (start_s, length_s, gain) in enumerate(zip(bout.starts_s, bout.lengths_s, bout.gains, strict=True)):
        first, size = round(start_s * SAMPLE_RATE), round(length_s * SAMPLE_RATE)
        size = min(size, samples - first)
        place = np.linspace(0, 1, size)
        aspired = _uniform(0.15, 0.45, generator)
        opening = np.clip(place / 0.1, 0, 1) * np.clip((1 - place) / 0.25, 0, 1)
        voicing = np.clip((place - aspired) / 0.1, 0, 1) * opening
        loud[first : first + size] = gain * voiced * voicing
        breath[first : first + size] = gain * puff * opening * (1 - 0.7 * voicing)
        falling = 1 - 0.02 * call
        arch = 1 + _uniform(0.05, 0.3, generator) * np.sin(np.pi * place)
        pitch[first : first + size] = base_hz * falling * arch * _uniform(0.93, 1.07, generator)
    noise = torch.randn(samples, generator=generator, dtype=torch.float64).numpy()
    saw = 1 - 2 * np.modf(np.cumsum(pitch) / SAMPLE_RATE)[0]
    source = (
        lfilter([1.0], [1, -_uniform(0.5, 0.95, generator)], saw) * loud + 0.5 * noise * breath + 0.05 * noise * loud
    )
    return _at_full_level(_vocal_tract(source, generator))


def laugh_from_bursts(
    bursts: Sequence[Float[Tensor, " burst"]], generator: torch.Generator
) -> Float[Tensor, " samples"]:
    """A bout whose calls are vowel-like bursts of one voice, each after a puff of breath. Peak 1.

    Args:
        bursts: loud voiced segments of speech, see `voiced_bursts`.
        generator: chooses and arranges them.
    """
    bout = sample_bout(generator)
    samples = round(bout.duration_s * SAMPLE_RATE)
    breath = _at_full_level(
        _vocal_tract(torch.randn(samples, generator=generator, dtype=torch.float64).numpy(), generator)
    )
    laugh = torch.zeros(samples)
    same = torch.rand((), generator=generator) < 0.5
    pick = int(torch.randint(len(bursts), (), generator=generator))
    for start_s, length_s, gain in zip(bout.starts_s, bout.lengths_s, bout.gains, strict=True):
        burst = bursts[pick if same else int(torch.randint(len(bursts), (), generator=generator))]
        first, size = round(start_s * SAMPLE_RATE), round(length_s * SAMPLE_RATE)
        puff = round(size * _uniform(0.15, 0.45, generator))
        call = burst[: min(size - puff, samples - first - puff, len(burst))]
        call = call / call.abs().max().clamp_min(1e-6) * torch.hann_window(len(call)).clamp_min(1e-3).sqrt()
        laugh[first : first + puff] += 0.3 * gain * breath[first : first + puff] * torch.hann_window(puff).sqrt()
        laugh[first + puff : first + puff + len(call)] += gain * call
    return _at_full_level(laugh.double().numpy())


def voiced_bursts(
    waveform: Float[Tensor, " samples"], length_s: float = 0.14, least_periodicity: float = 0.6
) -> list[Float[Tensor, " piece"]]:
    """The loud, periodic segments of speech: most of them are vowels.

    Args:
        waveform: 16 kHz speech.
        length_s: of each segment.
        least_periodicity: autocorrelation at the best pitch lag (80 to 500 Hz) from which a segment counts.
    """
    size = round(length_s * SAMPLE_RATE)
    if len(waveform) < size:
        return []
    pieces = waveform.unfold(0, size, size // 2)
    power = pieces.square().mean(1)
    spectrum = torch.fft.rfft(pieces * torch.hann_window(size), 2 * size)
    correlation = torch.fft.irfft(spectrum.abs().square())
    lags = correlation[:, SAMPLE_RATE // 500 : SAMPLE_RATE // 80].amax(1) / correlation[:, 0].clamp_min(1e-9)
    good = (lags > least_periodicity) & (power > 0.25 * power.max())
    return [piece.clone() for piece in pieces[good]]


def _vocal_tract(source: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """A source filtered by the formants of a random vocal tract."""
    vowel = _FORMANTS_HZ[int(torch.randint(len(_FORMANTS_HZ), (), generator=generator))]
    size = _uniform(0.85, 1.3, generator)
    for hertz, bandwidth in zip(vowel, _BANDWIDTHS_HZ, strict=True):
        radius = math.exp(-math.pi * bandwidth / SAMPLE_RATE)
        angle = 2 * math.pi * hertz * size * _uniform(0.93, 1.07, generator) / SAMPLE_RATE
        poles = [1, -2 * radius * math.cos(angle), radius**2]
        source = np.asarray(lfilter([sum(poles)], poles, source))
    return np.diff(source, prepend=0.0)  # radiation at the lips differentiates the flow


def _at_full_level(samples: np.ndarray) -> Tensor:
    return torch.from_numpy(samples / max(float(np.abs(samples).max()), 1e-9)).float()


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))
