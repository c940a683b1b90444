"""Channels and sampling rates: any sound as mono at 16 kHz."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.torchaudio_compat import load_torchaudio
from facetalk.core.timing import SAMPLE_RATE

_REACH = 16
"""Samples of the slower rate, on either side, that one sample depends on: six zero crossings of the filter, and some to
spare."""


def mix_down(channels: Float[Tensor, "channels samples"]) -> Float[Tensor, " samples"]:
    """One channel out of many, without cancelling channels of opposite phase.

    A plain mean silences a recording whose right channel is the left one turned over. So each channel is turned the
    way it correlates with the loudest one, and then averaged.
    """
    if len(channels) == 1:
        return channels[0]
    return (channels * channel_signs(channels @ channels.T)[:, None]).mean(0)


def channel_signs(products: Float[Tensor, "channels channels"]) -> Float[Tensor, " channels"]:
    """1 for channels that go with the loudest one, -1 for those of opposite phase.

    Args:
        products: sums over time of each channel times each other one.
    """
    return torch.where(products[products.diagonal().argmax()] < 0, -1.0, 1.0)


def resample_waveform(
    waveform: Float[Tensor, "*channels samples"], sample_rate: int, target_rate: int = SAMPLE_RATE
) -> Float[Tensor, "*channels resampled"]:
    """The same sound at another sampling rate (Hz), band-limited."""
    if sample_rate == target_rate:
        return waveform
    load_torchaudio()
    from torchaudio.functional import resample

    return resample(waveform, sample_rate, target_rate)


def resample_blocks(
    blocks: Iterable[Float[Tensor, "channels _"]], sample_rate: int, target_rate: int = SAMPLE_RATE
) -> Iterator[Float[Tensor, "channels _"]]:
    """A long sound, block by block, at another sampling rate: joined, what `resample_waveform` makes of the whole.

    Args:
        blocks: consecutive, of any lengths.
        sample_rate: of the blocks, Hz.
        target_rate: wanted, Hz.
    """
    # So many samples become so many others exactly.
    step, becomes = (rate // math.gcd(sample_rate, target_rate) for rate in (sample_rate, target_rate))
    margin = step * math.ceil(_REACH * max(sample_rate / target_rate, 1) / step)
    held, before = None, 0
    for block in blocks:
        held = block if held is None else torch.cat([held, block], 1)
        ready = (held.shape[1] - before - margin) // step * step
        if ready <= 0:
            continue
        known = before + ready
        resampled = resample_waveform(held[:, : known + margin], sample_rate, target_rate)
        yield resampled[:, before // step * becomes : known // step * becomes]
        held, before = held[:, max(0, known - margin) :], min(known, margin)
    if held is not None and held.shape[1] > before:
        yield resample_waveform(held, sample_rate, target_rate)[:, before // step * becomes :]
