"""Channels and sampling rates: any sound as mono at 16 kHz."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.torchaudio_compat import load_torchaudio
from facetalk.core.timing import SAMPLE_RATE


def mix_down(channels: Float[Tensor, "channels samples"]) -> Float[Tensor, " samples"]:
    """One channel out of many, without cancelling channels of opposite phase.

    A plain mean silences a recording whose right channel is the left one turned over. So each channel is turned the
    way it correlates with the loudest one, and then averaged.
    """
    if len(channels) == 1:
        return channels[0]
    loudest = channels[channels.square().mean(1).argmax()]
    signs = torch.where(channels @ loudest < 0, -1.0, 1.0)
    return (channels * signs[:, None]).mean(0)


def resample_waveform(
    waveform: Float[Tensor, " samples"], sample_rate: int, target_rate: int = SAMPLE_RATE
) -> Float[Tensor, " resampled"]:
    """The same sound at another sampling rate (Hz), band-limited."""
    if sample_rate == target_rate:
        return waveform
    load_torchaudio()
    from torchaudio.functional import resample

    return resample(waveform, sample_rate, target_rate)
