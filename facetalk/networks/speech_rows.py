"""Waveform -> what encoders transform: rows of a frozen front end, then pitch, voicing and loudness."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.level import LOOK_AHEAD_ROWS
from facetalk.audio.leveled import LeveledStream, LeveledWaveform
from facetalk.audio.prosody import prosody
from facetalk.audio.samples import Samples
from facetalk.audio.spectrogram import ROW_RATE
from facetalk.core.errors import UsageError
from facetalk.core.timing import FPS, SAMPLE_RATE, frames_for, windows
from facetalk.io.audio import Waveform
from facetalk.networks.styletalk import FeatureStream, LiveFeatures, SpeechFeatures, feature_blocks
from facetalk.networks.wav2vec import NUM_PROSODY, Wav2VecEncoder

LOUDNESS = -1
"""Column of the rows: natural logarithm of the root mean square, in units of that of speech."""

_GRID = 3
"""Frames that are a whole number of samples."""
_MARGIN = 2 * _GRID
"""Frames around a piece; wav2vec 2.0's front ends see less than one, and pitch needs two."""
_PIECE = 300


@dataclass(frozen=True, eq=False)
class SpeechRows:
    """A source of such rows; the audio is heard relative to its running level (`facetalk.audio.leveled`)."""

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
        leveled, own = LeveledWaveform(waveform), self._own_fronts
        num_frames, done = frames_for(len(waveform) / SAMPLE_RATE), 0
        if isinstance(self.fronts, SpeechFeatures):
            for rows in feature_blocks(self.fronts, waveform):
                yield torch.cat([rows, _rows_of(own, leveled, done, done + len(rows))], 1)
                done += len(rows)
            return
        for window in windows(num_frames, _PIECE, 0):
            yield _rows_of(own, leveled, window.read.start, window.read.stop)

    def start(self) -> FeatureStream:
        """Begin a recording that comes piece by piece.

        Raises:
            UsageError: a part needs whole recordings.
        """
        own = WaveformRowStream(self._own_fronts)
        return SideBySide([live(self.fronts).start(), own]) if isinstance(self.fronts, SpeechFeatures) else own

    @property
    def look_ahead_s(self) -> float:
        """How much audio after the middle of a frame counts for its row, seconds; infinite if all of it does."""
        if any(encoder.config.front_norm == "group" for encoder in self._own_fronts):
            return math.inf
        own = (LOOK_AHEAD_ROWS + 2) / ROW_RATE + (_MARGIN + 1) / FPS
        return max(own, self.fronts.look_ahead_s) if isinstance(self.fronts, LiveFeatures) else own

    @property
    def _own_fronts(self) -> Sequence[Wav2VecEncoder]:
        return () if isinstance(self.fronts, SpeechFeatures) else self.fronts


def live(speech: SpeechFeatures) -> LiveFeatures:
    """The speech encoder, if it can listen to a stream.

    Raises:
        UsageError: it needs whole recordings.
    """
    if not isinstance(speech, LiveFeatures):
        raise UsageError("the speech encoder hears whole recordings, so that it cannot listen to a stream")
    return speech


class WaveformRowStream:
    """Rows of front ends and prosody for a recording that comes piece by piece."""

    def __init__(self, encoders: Sequence[Wav2VecEncoder]) -> None:
        """Begin a recording.

        Args:
            encoders: whose front ends are used; none for pitch, voicing and loudness alone.

        Raises:
            UsageError: a front end needs whole recordings.
        """
        if any(encoder.config.front_norm == "group" for encoder in encoders):
            raise UsageError(
                "the encoder normalizes its front end over whole recordings (front_norm: group), so that it cannot "
                "listen to a stream; encoders with front_norm: layer can"
            )
        self._encoders, self._leveled = encoders, LeveledStream()
        self._held = torch.zeros(0)
        """Samples that are known for good, from frame `_first` on."""
        self._first = self._done = self._samples = 0

    @property
    def width(self) -> int:
        """See `FeatureStream.width`."""
        return sum(encoder.config.channels[-1] for encoder in self._encoders) + NUM_PROSODY

    @torch.no_grad()
    def feed(
        self, samples: Float[Tensor, " samples"], with_ending: bool = False
    ) -> tuple[Float[Tensor, "_ features"], Float[Tensor, "_ features"]]:
        """See `FeatureStream.feed`."""
        self._samples += len(samples)
        known, ending = self._leveled.feed(samples, with_ending)
        self._held = torch.cat([self._held, known])
        certain = max(self._done, self._first + int(len(self._held) * FPS / SAMPLE_RATE) - _MARGIN)
        stop = frames_for(self._samples / SAMPLE_RATE) if with_ending else certain
        rows = _rows_of(self._encoders, torch.cat([self._held, ending]), self._done, stop, self._first)
        count = certain - self._done
        self._done = certain
        past = _first_read(self._done) - self._first
        self._held, self._first = self._held[_samples_until(past) :], self._first + past
        return rows[:count], rows[count:]


class SideBySide:
    """The columns of several streams of one recording, as far as all of them are known."""

    def __init__(self, streams: Sequence[FeatureStream]) -> None:
        self._streams = streams
        self._held = [torch.zeros(0, stream.width) for stream in streams]

    @property
    def width(self) -> int:
        """See `FeatureStream.width`."""
        return sum(stream.width for stream in self._streams)

    def feed(
        self, samples: Float[Tensor, " samples"], with_ending: bool = False
    ) -> tuple[Float[Tensor, "_ features"], Float[Tensor, "_ features"]]:
        """See `FeatureStream.feed`."""
        fed = [stream.feed(samples, with_ending) for stream in self._streams]
        known = [torch.cat([held, rows]) for held, (rows, _) in zip(self._held, fed, strict=True)]
        count = min(map(len, known))
        self._held = [rows[count:].clone() for rows in known]
        both = torch.cat([rows[:count] for rows in known], 1)
        if not with_ending:
            return both, both[:0]
        endings = [torch.cat([held, ending]) for held, (_, ending) in zip(self._held, fed, strict=True)]
        return both, torch.cat(endings, 1)


def _rows_of(
    encoders: Sequence[Wav2VecEncoder], leveled: Samples, start: int, stop: int, first: int = 0
) -> Float[Tensor, "frames features"]:
    """The rows of some frames, the same as those of the whole recording.

    Args:
        encoders: whose front ends are used.
        leveled: the recording relative to its level, from a frame on.
        start: number of the first frame.
        stop: number of the frame after the last one.
        first: number of the frame that `leveled` begins with, a multiple of `_GRID`.
    """
    if stop <= start:
        return torch.zeros(0, sum(encoder.config.channels[-1] for encoder in encoders) + NUM_PROSODY)
    read = _first_read(start)
    piece = leveled[_samples_until(read - first) : _samples_until(stop + _MARGIN - first)][None]
    parts = [encoder.front(piece, stop - read) for encoder in encoders]
    return torch.cat([*parts, prosody(piece, stop - read)], 2)[0, start - read :]


def _first_read(frame: int) -> int:
    """The first of the frames whose samples count for the row of one, on the grid of whole samples."""
    return max(0, frame // _GRID * _GRID - _MARGIN)


def _samples_until(frames: int) -> int:
    return round(frames / FPS * SAMPLE_RATE)
