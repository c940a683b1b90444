"""Log-mel spectrogram: the input of the speech encoder."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.samples import Samples
from facetalk.core.timing import SAMPLE_RATE

NUM_MELS = 80
ROW_RATE = 100
"""Spectra per second."""
HOP = SAMPLE_RATE // ROW_RATE
"""Samples between spectra."""
WINDOW = SAMPLE_RATE // 40
"""Samples in a spectrum's window: 25 ms."""
_PIECE = 1000
"""Rows computed at once: an hour of audio has 360 000, and their spectra would take gigabytes. Those of 10 s take 8 MB,
and are computed faster than longer ones, because they stay in the cache."""
FLOOR = 1e-6
"""Power below which everything counts as silence, for samples in [-1, 1]."""


class LogMel(nn.Module):
    """Waveform -> natural log of mel band power, 100 rows a second.

    Row k is centered on second k / 100.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, num_mels: int = NUM_MELS) -> None:
        super().__init__()
        self.register_buffer("filters", mel_filters(257, 20.0, 7600.0, num_mels), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)

    def forward(self, waveform: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch steps mels"]:
        """One row for every started 10 ms."""
        return self.rows(waveform, slice(0, num_rows(waveform.shape[1])))

    def rows(self, waveform: Float[Tensor, "batch samples"], part: slice) -> Float[Tensor, "batch steps mels"]:
        """Some of the rows of a longer waveform, as `forward` returns them; rows beyond its end are omitted."""
        start, stop = sample_range(part, waveform.shape[1])
        return self._log_mel(waveform[:, max(0, start) : stop], -start, stop - waveform.shape[1])

    def rows_of(self, samples: Samples, part: slice) -> Float[Tensor, "1 steps mels"]:
        """Some of the rows of audio of any length, of which only the necessary samples are read."""
        start, stop = sample_range(part, len(samples))
        return self._log_mel(samples[max(0, start) : stop][None], -start, stop - len(samples))

    def _log_mel(self, used: Float[Tensor, "batch samples"], before: int, after: int) -> Tensor:
        """Rows of samples to which zeros are added on both sides where they are missing."""
        return self.spectra(nn.functional.pad(used, (max(0, before), max(0, after))))

    def spectra(self, samples: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch steps mels"]:
        """One row for every window that fits into the samples, the first of which begins with them."""
        frames = samples.unfold(1, WINDOW, HOP)
        return torch.cat([self._of_frames(piece) for piece in frames.split(_PIECE, 1)], 1)

    def _of_frames(self, frames: Float[Tensor, "batch steps samples"]) -> Float[Tensor, "batch steps mels"]:
        spectrum = torch.fft.rfft(frames * self.window, 512)
        power = spectrum.real.square() + spectrum.imag.square()  # twice as fast as a sum over pairs
        return (power @ self.filters).clamp_min(FLOOR).log()


class LogMelStream:
    """The rows of a waveform that comes piece by piece."""

    def __init__(self, log_mel: LogMel) -> None:
        self._log_mel = log_mel
        self._held = torch.zeros(WINDOW // 2)
        """Samples from the beginning of the next row's window on."""

    def feed(self, samples: Float[Tensor, " samples"]) -> Float[Tensor, "1 steps mels"]:
        """Take the next samples, and return the rows whose windows are complete."""
        self._held = torch.cat([self._held, samples])
        rows = self._spectra(self._held)
        self._held = self._held[rows.shape[1] * HOP :]
        return rows

    def ending(self) -> Float[Tensor, "1 steps mels"]:
        """The rows that would follow if the waveform ended here."""
        return self._spectra(nn.functional.pad(self._held, (0, WINDOW // 2 - 1)))

    def _spectra(self, samples: Float[Tensor, " samples"]) -> Float[Tensor, "1 steps mels"]:
        if len(samples) < WINDOW:
            return samples.new_zeros(1, 0, self._log_mel.filters.shape[1])
        return self._log_mel.spectra(samples[None])


def mel_filters(num_bins: int, lowest_hz: float, highest_hz: float, num_mels: int) -> Float[Tensor, "bins mels"]:
    """Triangular filters at even distances on the mel scale of HTK, 1 at their middles.

    Args:
        num_bins: bins of a spectrum, from 0 Hz to half the sample rate.
        lowest_hz: where the first filter begins.
        highest_hz: where the last one ends.
        num_mels: number of filters.
    """
    first, last = (2595 * math.log10(1 + hertz / 700) for hertz in (lowest_hz, highest_hz))
    corners = 700 * (10 ** (torch.linspace(first, last, num_mels + 2) / 2595) - 1)
    above = corners - torch.linspace(0, SAMPLE_RATE // 2, num_bins)[:, None]
    widths = corners.diff()
    rising, falling = -above[:, :-2] / widths[:-1], above[:, 2:] / widths[1:]
    return rising.minimum(falling).clamp_min(0)


def sample_range(part: slice, num_samples: int) -> tuple[int, int]:
    """First sample of some rows and the one after the last; they may lie outside of the waveform."""
    stop = min(part.stop, num_rows(num_samples))
    return part.start * HOP - WINDOW // 2, (stop - 1) * HOP + WINDOW - WINDOW // 2


def num_rows(num_samples: int) -> int:
    """Number of rows of a waveform."""
    return -(-num_samples // HOP)


def pieces(num_samples: int) -> Iterator[slice]:
    """All rows of a waveform, in pieces whose spectra fit into memory."""
    total = num_rows(num_samples)
    return (slice(start, min(start + _PIECE, total)) for start in range(0, total, _PIECE))
