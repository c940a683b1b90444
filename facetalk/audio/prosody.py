"""Pitch, voicing and loudness under each video frame: what phonemes leave out and laughter is made of."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import FPS, SAMPLE_RATE

_LOWEST_HZ, _HIGHEST_HZ = 75.0, 800.0
"""Range of voices; laughs reach an octave above speech (Bachorowski, Smoski and Owren 2001)."""
_MIDDLE_HZ = 200.0
_WINDOW = 1024
"""Samples, 64 ms: nearly five periods of the lowest voice."""
_VOICED = 0.45
"""Normalized autocorrelation from which a frame is voiced (Boersma 1993)."""
_OCTAVE_COST = 0.02
"""Lost by a candidate for each octave below the highest pitch, so that a period is preferred to its multiples."""
_QUIETEST = 1e-3
"""Root mean square below which everything counts as silence, in units of the recording's own."""
_PIECE = 600
"""Frames whose spectra are held at once."""


def prosody(waveform: Float[Tensor, "batch samples"], num_frames: int) -> Float[Tensor, "batch frames 3"]:
    """Pitch, voicing and loudness of each frame at 30 frames a second.

    Args:
        waveform: 16 kHz, with unit variance over the recording.
        num_frames: how many frames; beyond the end of the waveform there is silence.

    Returns:
        Pitch in octaves above 200 Hz, 0 where there is no voice; normalized autocorrelation at the pitch's period, 0 to
        1; natural logarithm of the root mean square, at least -7.
    """
    # Frame t is centered on second (t + 0.5) / 30.
    middles = (2 * torch.arange(num_frames, device=waveform.device) + 1) * SAMPLE_RATE // round(2 * FPS)
    needed = int(middles[-1]) + _WINDOW // 2 if num_frames else 0
    padded = torch.nn.functional.pad(waveform, (_WINDOW // 2, max(0, needed - waveform.shape[1])))
    pieces = padded.unfold(1, _WINDOW, 1)
    return torch.cat([_rows(pieces[:, part]) for part in middles.split(_PIECE)], 1)


def _rows(frames: Float[Tensor, "batch frames window"]) -> Float[Tensor, "batch frames 3"]:
    size = frames.shape[-1]
    hop = round(SAMPLE_RATE / FPS)
    middle = frames[..., (size - hop) // 2 : (size + hop) // 2]
    loudness = middle.square().mean(-1).sqrt().clamp_min(_QUIETEST).log()
    window = torch.hann_window(size, device=frames.device, dtype=frames.dtype)
    centered = (frames - frames.mean(-1, keepdim=True)) * window
    similar = _autocorrelation(centered) / _autocorrelation(window).clamp_min(1e-6)
    shortest, longest = int(SAMPLE_RATE / _HIGHEST_HZ), int(SAMPLE_RATE / _LOWEST_HZ)
    periods = torch.arange(shortest, longest + 1, device=frames.device)
    octaves_down = (periods / shortest).log2()
    candidates = similar[..., shortest : longest + 1] - _OCTAVE_COST * octaves_down
    best = candidates.argmax(-1)
    voicing = similar[..., shortest : longest + 1].gather(-1, best[..., None])[..., 0].clamp(0, 1)
    voicing = torch.where(middle.square().mean(-1).sqrt() > 10 * _QUIETEST, voicing, 0)
    pitch = (SAMPLE_RATE / periods[best] / _MIDDLE_HZ).log2()
    return torch.stack([torch.where(voicing > _VOICED, pitch, 0), voicing, loudness], -1)


def _autocorrelation(x: Float[Tensor, "*rows window"]) -> Float[Tensor, "*rows lags"]:
    """Autocorrelation at lags from 0 on, relative to lag 0."""
    power = torch.fft.rfft(x, 2 * x.shape[-1]).abs().square()
    sums = torch.fft.irfft(power)[..., : x.shape[-1]]
    return sums / sums[..., :1].clamp_min(1e-9)
