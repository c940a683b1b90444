"""Channels and sample rates: any audio as mono at 16 kHz."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.torchaudio_compat import load_torchaudio
from facetalk.core.timing import SAMPLE_RATE

_ZERO_CROSSINGS, _ROLLOFF = 6, 0.99
"""Half width of the windowed sinc and its cutoff below the lower Nyquist frequency, as in torchaudio."""

_LARGEST_TABLE = 2**22
"""Values in torchaudio's table of filters, one filter for each phase. Rates with few common factors, such as 11127 Hz
to 16000 Hz, need as many phases as samples per second; then each filter is computed where it is used."""

_REACH = 16
"""Samples at the lower rate, on either side, that one sample depends on: six zero crossings of the filter and a
reserve."""


def channel_signs(products: Float[Tensor, "channels channels"]) -> Float[Tensor, " channels"]:
    """1 for channels in phase with the loudest one, -1 for those of opposite phase.

    A plain mean would silence a file whose right channel is the inverted left one.

    Args:
        products: sums over time of each channel times each other one.
    """
    return torch.where(products[products.diagonal().argmax()] < 0, -1.0, 1.0)


def resample_waveform(
    waveform: Float[Tensor, "*channels samples"], sample_rate: int, target_rate: int = SAMPLE_RATE
) -> Float[Tensor, "*channels resampled"]:
    """The waveform at another sample rate (Hz), band-limited."""
    if sample_rate == target_rate:
        return waveform
    common = math.gcd(sample_rate, target_rate)
    taps = 2 * _half_width(sample_rate, target_rate) + sample_rate // common
    if taps * (target_rate // common) > _LARGEST_TABLE:
        return resample_directly(waveform, sample_rate, target_rate)
    load_torchaudio()
    from torchaudio.functional import resample

    return resample(waveform, sample_rate, target_rate)


def resample_directly(
    waveform: Float[Tensor, "*channels samples"], sample_rate: int, target_rate: int = SAMPLE_RATE
) -> Float[Tensor, "*channels resampled"]:
    """What torchaudio's `resample` computes, without a table: one windowed sinc for each sample of the result."""
    common = math.gcd(sample_rate, target_rate)
    old, new = sample_rate // common, target_rate // common
    length, width = waveform.shape[-1], _half_width(sample_rate, target_rate)
    offsets = torch.arange(-width, width + 2)
    cutoff = _ROLLOFF * min(old, new)
    padded = torch.nn.functional.pad(waveform, (width, width + 2))
    count, block = -(-new * length // old), max(1, 2**20 // len(offsets))
    pieces = []
    for start in range(0, count, block):
        index = torch.arange(start, min(start + block, count))
        before, phase = index * old // new, index * old % new
        # Distance of each tap from the sample, in units of the cutoff's half period.
        distance = (offsets.double() / old - (phase.double() / (old * new))[:, None]) * cutoff
        distance = distance.clamp(-_ZERO_CROSSINGS, _ZERO_CROSSINGS)
        window = torch.cos(distance * math.pi / _ZERO_CROSSINGS / 2).square()
        filters = (torch.sinc(distance) * window * (cutoff / old)).to(waveform.dtype)
        pieces.append((padded[..., before[:, None] + offsets + width] * filters).sum(-1))
    return torch.cat(pieces, -1) if pieces else waveform[..., :0]


def _half_width(sample_rate: int, target_rate: int) -> int:
    """Samples of the input on either side that one sample of the result depends on."""
    return math.ceil(_ZERO_CROSSINGS * sample_rate / (_ROLLOFF * min(sample_rate, target_rate)))


def resample_blocks(
    blocks: Iterable[Float[Tensor, "channels _"]], sample_rate: int, target_rate: int = SAMPLE_RATE
) -> Iterator[Float[Tensor, "channels _"]]:
    """Resample long audio block by block; joined, the blocks equal `resample_waveform` of the whole.

    Args:
        blocks: consecutive, of any lengths.
        sample_rate: of the blocks, Hz.
        target_rate: wanted, Hz.
    """
    resampler = Resampler(sample_rate, target_rate)
    for block in blocks:
        resampled = resampler.feed(block)
        if resampled.shape[1]:
            yield resampled
    rest = resampler.finish()
    if rest.shape[1]:
        yield rest


class Resampler:
    """Resamples audio that comes piece by piece; see `resample_blocks`."""

    def __init__(self, sample_rate: int, target_rate: int = SAMPLE_RATE) -> None:
        self._rates = sample_rate, target_rate
        # `step` samples become exactly `becomes` others.
        self._step, self._becomes = (rate // math.gcd(sample_rate, target_rate) for rate in self._rates)
        self._margin = self._step * math.ceil(_REACH * max(sample_rate / target_rate, 1) / self._step)
        self._held: Tensor | None = None
        self._before = 0
        """Samples that are held only because the next ones depend on them."""

    def feed(self, block: Float[Tensor, "channels _"]) -> Float[Tensor, "channels _"]:
        """Take the next samples, and return those of the result that no later ones change."""
        if self._step == self._becomes:
            return block
        held = block if self._held is None else torch.cat([self._held, block], 1)
        ready = (held.shape[1] - self._before - self._margin) // self._step * self._step
        if ready <= 0:
            self._held = held
            return held[:, :0]
        known = self._before + ready
        resampled = resample_waveform(held[:, : known + self._margin], *self._rates)
        part = resampled[:, self._before // self._step * self._becomes : known // self._step * self._becomes]
        self._held, self._before = held[:, max(0, known - self._margin) :], min(known, self._margin)
        return part

    def finish(self) -> Float[Tensor, "channels _"]:
        """Return the rest of the result."""
        if self._held is None:
            return torch.zeros(1, 0)
        if self._held.shape[1] <= self._before:
            return self._held[:, :0]
        return resample_waveform(self._held, *self._rates)[:, self._before // self._step * self._becomes :]
