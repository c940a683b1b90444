"""Waveform -> what EmoTalk's encoders transform: rows of a frozen front end, then pitch, voicing and loudness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.level import level_of
from facetalk.audio.prosody import prosody
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for, windows
from facetalk.io.audio import Waveform
from facetalk.networks.styletalk import SpeechFeatures, feature_blocks
from facetalk.networks.wav2vec import NUM_PROSODY, Wav2VecEncoder

_GRID = 3
"""Frames that are a whole number of samples."""
_MARGIN = 2 * _GRID
"""Frames around a piece; wav2vec 2.0's front ends see less than one, and pitch needs two."""
_PIECE = 300


@dataclass(frozen=True, eq=False)
class SpeechRows:
    """A source of such rows."""

    fronts: SpeechFeatures | Sequence[Wav2VecEncoder]
    """A speech encoder, or encoders whose convolutional front ends are used side by side."""

    @property
    def width(self) -> int:
        """Number of columns."""
        if isinstance(self.fronts, SpeechFeatures):
            return self.fronts.width + NUM_PROSODY
        return sum(encoder.config.channels[-1] for encoder in self.fronts) + NUM_PROSODY

    def encode(self, waveform: Waveform) -> Float[Tensor, "frames features"]:
        """All rows of a recording.

        Args:
            waveform: 16 kHz speech in [-1, 1].
        """
        return torch.cat(list(self.blocks(waveform)))

    @torch.no_grad()
    def blocks(self, waveform: Waveform) -> Iterator[Float[Tensor, "frames features"]]:
        """Yield the rows in consecutive blocks; of the audio, only the part in work is read."""
        level = level_of(waveform)
        done = 0
        for rows in self._front_blocks(waveform, level):
            yield torch.cat([rows, _prosody_of(waveform, level, done, done + len(rows))], 1)
            done += len(rows)

    def _front_blocks(self, waveform: Waveform, level: tuple[float, float]) -> Iterator[Float[Tensor, "frames _"]]:
        if isinstance(self.fronts, SpeechFeatures):
            yield from feature_blocks(self.fronts, waveform)
            return
        num_frames = frames_for(len(waveform) / SAMPLE_RATE)
        for window in windows(num_frames, _PIECE + 2 * _MARGIN, _MARGIN):
            piece = _standardized(waveform, level, window.read.start, window.read.stop)
            count = window.read.stop - window.read.start
            yield torch.cat([encoder.front(piece, count)[0] for encoder in self.fronts], 1)[window.keep]


def _prosody_of(
    waveform: Waveform, level: tuple[float, float], start: int, stop: int
) -> Float[Tensor, "frames prosody"]:
    """Pitch, voicing and loudness of some frames, the same as those of the whole recording."""
    first = max(0, (start // _GRID) * _GRID - _MARGIN)
    return prosody(_standardized(waveform, level, first, stop + _MARGIN), stop - first)[0, start - first :]


def _standardized(waveform: Waveform, level: tuple[float, float], start: int, stop: int) -> Float[Tensor, "1 piece"]:
    """The audio under some frames with zero mean and unit variance over the recording."""
    mean, spread = level
    samples = waveform[round(start / FPS * SAMPLE_RATE) : round(stop / FPS * SAMPLE_RATE)]
    return ((samples - mean) / spread)[None]
