"""Audio of any length, of which only the requested samples are in memory."""

from __future__ import annotations

import itertools
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.resample import channel_signs, resample_blocks
from facetalk.core.errors import FacetalkError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.audio_clip import AudioClip
from facetalk.io.ffmpeg import last_line
from facetalk.io.media import Media, checked_file, probe
from facetalk.io.path_list import as_path
from facetalk.io.sample_blocks import IncompleteError, check_length, ffmpeg_blocks, soundfile_blocks
from facetalk.io.stated_length import cut_factor, is_sample_file, stated_seconds
from facetalk.io.timeline import LONGEST_PAUSE_S, last_second

MIN_SECONDS = 0.1
"""Anything shorter cannot hold a syllable."""

BLOCK = 30 * SAMPLE_RATE
"""Samples that are processed together: half a minute, a whole number of video frames."""

QUIET_PEAK, RAISED_PEAK, SILENT_PEAK = 0.02, 0.05, 1e-4
"""Audio with a peak between silence (-80 dBFS) and -34 dBFS is raised to -26 dBFS: its level must not matter, and the
speech features were trained on audio of ordinary level."""

_IN_MEMORY = 8 * 2**20
"""Bytes: a minute in stereo."""
_MISSING_S, _MISSING = 0.3, 0.02
"""Audio ends early if more than this is missing, in seconds and as a share of what the header states."""
_MISSING_TRACKS_S = 1.5
"""The same for files with video, whose end is known to a second."""
_log = logging.getLogger(__name__)


class StreamedAudio:
    """Mono audio at 16 kHz in [-1, 1]: slices of it are tensors.

    In a video, time 0 is where the file starts: a gap before the audio track becomes silence.
    """

    def __init__(self, source: Path | str | AudioClip) -> None:
        """Decode a file into a temporary file, or into memory if it is short.

        Args:
            source: any audio or video file that soundfile or ffmpeg reads, or a part of one at its own tempo.
        """
        self._clip = source if isinstance(source, AudioClip) else AudioClip(as_path(source, "audio"))
        if self._clip.part.tempo != 1:
            raise ValueError("audio at another tempo is only made for videos")
        self.path = checked_file(self._clip.path, "an audio file")
        # Lives as long as this object; the operating system removes it with the process.
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        try:
            self._decode()
        except BaseException:
            self._file.close()
            raise

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, samples: slice) -> Float[Tensor, " samples"]:
        """Consecutive samples."""
        start, stop, _ = samples.indices(self._length)
        found = torch.empty(max(0, stop - start))
        for first in range(start, stop, BLOCK):  # long slices would be held several times while they are mixed
            last = min(stop, first + BLOCK)
            torch.mul(self._mixed(first, last), self._gain, out=found[first - start : last - start])
        return found

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()

    def __enter__(self) -> StreamedAudio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decode(self) -> None:
        try:
            seconds = self._store(soundfile_blocks(self.path))
            if self._clip.is_whole:
                _warn_if_short(self.path, stated_seconds(self.path), seconds)
        except (soundfile.SoundFileError, IncompleteError):
            self._file.seek(0)
            self._file.truncate()
            messages: list[str] = []
            seconds = self._store(ffmpeg_blocks(self.path, messages))
            is_short = self._clip.is_whole and _warn_if_short(self.path, _stated_by(probe(self.path), seconds), seconds)
            if messages and not is_short:
                _log.warning("%s is damaged (%s); what can be decoded of it is used", self.path, last_line(messages[0]))

    def _store(self, blocks: Iterator[tuple[int, np.ndarray]]) -> float:
        """Keep every channel at 16 kHz, and find out how to mix them; returns the length in seconds."""
        blocks = self._clip.of_blocks(blocks)
        rate, first = next(blocks, (SAMPLE_RATE, np.zeros((0, 1), np.float32)))
        statistics = _Statistics(first.shape[1])
        samples = itertools.chain([first], (block for _, block in blocks))
        for block in resample_blocks(map(statistics.add, samples), rate):
            check_length(self.path, statistics.samples, rate)
            self._file.write(np.ascontiguousarray(block.T.numpy(), np.float32).tobytes())
        if statistics.samples == 0:
            raise FacetalkError(f"{self.path} holds no audio samples")
        if not statistics.is_finite:
            raise FacetalkError(
                f"{self.path} holds samples that are not numbers (NaN or infinite); export the audio again"
            )
        seconds = statistics.samples / rate
        if seconds < MIN_SECONDS:
            held = f"{self.path} holds only" if self._clip.is_whole else f"the part of {self.path} has only"
            raise FacetalkError(f"{held} {seconds:.3f} s of audio; at least {MIN_SECONDS} s are needed")
        self._signs = channel_signs(statistics.products).float() / first.shape[1]
        self._length = self._file.tell() // self._row_bytes
        self._gain = _gain(max(self._peak(start) for start in range(0, self._length, BLOCK)))
        return seconds

    @property
    def _row_bytes(self) -> int:
        return 4 * len(self._signs)

    def _peak(self, start: int) -> float:
        # A number, not a tensor: small tensors that stay would keep the allocator from reusing the large ones.
        return float(self._mixed(start, start + BLOCK).abs().max())

    def _mixed(self, start: int, stop: int) -> Float[Tensor, " samples"]:
        self._file.seek(start * self._row_bytes)
        values = np.frombuffer(self._file.read(max(0, stop - start) * self._row_bytes), np.float32)
        return torch.from_numpy(values.copy()).unflatten(0, (-1, len(self._signs))) @ self._signs


class _Statistics:
    """What is collected about the samples while they are read."""

    def __init__(self, channels: int) -> None:
        self.samples = 0
        self.is_finite = True
        self.products = torch.zeros(channels, channels, dtype=torch.float64)

    def add(self, block: np.ndarray) -> Float[Tensor, "channels samples"]:
        """Count a block (samples, channels) and return it with the channels first."""
        self.samples += len(block)
        self.is_finite = self.is_finite and bool(np.isfinite(block).all())
        channels = torch.from_numpy(np.ascontiguousarray(block.T, np.float32))
        self.products += (channels @ channels.T).double()
        return channels


def _gain(peak: float) -> float:
    """Factor that brings the peak of a recording into the usual range."""
    if SILENT_PEAK < peak < QUIET_PEAK:
        return RAISED_PEAK / peak
    return 1 / max(1.0, peak)


def _stated_by(media: Media, seconds: float) -> float:
    """Length that a file for ffmpeg states; `seconds`, those decoded, if it states none or says nothing about audio."""
    if media.duration_s is None or media.is_estimated:
        return seconds * cut_factor(media.path) if is_sample_file(media.path) else seconds
    stated = media.duration_s - media.start_s
    if media.video is None and stated - seconds < LONGEST_PAUSE_S:
        return stated
    # Audio may be shorter than its video, but one of the two lasts to the end. Where a wrong time made the header state
    # hours, there is a packet at their end.
    return stated if stated - last_second(media) > _MISSING_TRACKS_S else seconds


def _warn_if_short(path: Path, stated_s: float, seconds: float) -> bool:
    is_short = stated_s - seconds > max(_MISSING_S, _MISSING * stated_s)
    if is_short:
        _log.warning("%s ends early: its header states %.2f s, the audio ends at %.2f s", path, stated_s, seconds)
    return is_short
