"""Speech relative to its running level, so that neither how loud it is nor what comes later matters.

Networks that hear waveforms are trained on recordings of unit variance; what comes piece by piece has no variance yet.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.level import RunningLevel, running_level
from facetalk.audio.samples import Samples
from facetalk.audio.spectrogram import HOP, LogMel, LogMelStream, num_rows, pieces

_UNIT = -5.85
"""Natural log of the standard deviation of recordings whose level is 0: the median of training speakers' videos."""


class LeveledWaveform:
    """A recording with a variance of about 1 in its speech; only the samples in work are read, twice."""

    def __init__(self, waveform: Samples) -> None:
        log_mel = LogMel()
        loudness = [log_mel.rows_of(waveform, piece)[0].logsumexp(1) for piece in pieces(len(waveform))]
        self._waveform = waveform
        self._spread = spread_at(running_level(torch.cat(loudness)))

    def __len__(self) -> int:
        return len(self._waveform)

    def __getitem__(self, samples: slice) -> Float[Tensor, " samples"]:
        start, stop, _ = samples.indices(len(self))
        return relative(self._waveform[start:stop], self._spread[start // HOP : num_rows(stop)], start % HOP)


class LeveledStream:
    """The samples of a `LeveledWaveform` that comes piece by piece."""

    def __init__(self) -> None:
        self._mel, self._level = LogMelStream(LogMel()), RunningLevel()
        self._held = torch.zeros(0)
        """Samples whose level is not known yet, from the beginning of a row on."""

    def feed(
        self, samples: Float[Tensor, " samples"], with_ending: bool = False
    ) -> tuple[Float[Tensor, " known"], Float[Tensor, " ending"]]:
        """Take the next samples; see `facetalk.networks.styletalk.FeatureStream.feed`."""
        levels = self._level.feed(self._mel.feed(samples).logsumexp(2)[0])
        self._held = torch.cat([self._held, samples])
        count = HOP * len(levels)
        known, self._held = relative(self._held[:count], spread_at(levels)), self._held[count:]
        if not with_ending:
            return known, known[:0]
        levels = self._level.ending(self._mel.ending().logsumexp(2)[0])
        return known, relative(self._held, spread_at(levels))


def spread_at(levels: Float[Tensor, " rows"]) -> Float[Tensor, " rows"]:
    """Standard deviation of speech with these levels."""
    return (levels / 2 + _UNIT).exp()


def relative(
    samples: Float[Tensor, " samples"], spread: Float[Tensor, " rows"], skipped: int = 0
) -> Float[Tensor, " samples"]:
    """Samples in units of the spread at the row of the spectrogram that begins with them.

    Args:
        samples: 16 kHz.
        spread: a value for every `HOP` samples.
        skipped: samples of the first row that are missing.
    """
    return samples / spread.repeat_interleave(HOP)[skipped : skipped + len(samples)]
