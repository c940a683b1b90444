"""A rule-based laughter detector, the baseline of the trained one: voiced bursts four to six times a second."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for

_ENVELOPE_RATE = 100
_WINDOW = 100
"""Envelope rows in a window: 1 s."""
_BAND_HZ = (3.5, 6.5)
"""Laughs have four to six bursts a second (Bachorowski, Smoski and Owren 2001); half a bin is added at either end."""
_ALL_HZ = (1.0, 15.0)


def burst_share(waveform: Float[Tensor, " samples"]) -> Float[Tensor, " frames"]:
    """Share of the loudness envelope's modulation around each video frame at four to six hertz, 0 to 1.

    Args:
        waveform: mono samples at 16 kHz.
    """
    hop = SAMPLE_RATE // _ENVELOPE_RATE
    rows = -(-len(waveform) // hop)
    padded = torch.nn.functional.pad(waveform, (0, rows * hop - len(waveform)))
    envelope = padded.view(rows, hop).square().mean(1).sqrt()
    half = _WINDOW // 2
    pieces = torch.nn.functional.pad(envelope, (half, half)).unfold(0, _WINDOW, 1)
    pieces = (pieces - pieces.mean(1, keepdim=True)) * torch.hann_window(_WINDOW, device=waveform.device)
    power = torch.fft.rfft(pieces).abs().square()
    hertz = torch.fft.rfftfreq(_WINDOW, 1 / _ENVELOPE_RATE, device=waveform.device)
    inside, whole = (power[:, (hertz >= low) & (hertz <= high)].sum(1) for low, high in (_BAND_HZ, _ALL_HZ))
    share = inside / whole.clamp_min(1e-8)
    middles = (torch.arange(frames_for(len(waveform) / SAMPLE_RATE)) + 0.5) / FPS * _ENVELOPE_RATE
    return share[middles.long().clamp(max=len(share) - 1).to(share.device)]
