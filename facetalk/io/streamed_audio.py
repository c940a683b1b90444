"""Audio of any length, of which only the requested samples are in memory."""

from __future__ import annotations

import itertools
import logging
import re
import struct
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
from facetalk.io.ffmpeg import last_line, no_audio, source, start_decoding
from facetalk.io.media import Media, checked_file, probe
from facetalk.io.stated_length import cut_factor, is_sample_file, stated_seconds
from facetalk.io.timeline import LONGEST_PAUSE_S, audio_filter, last_second, longest_pause

MIN_SECONDS = 0.1
"""Anything shorter cannot hold a syllable."""

BLOCK = 30 * SAMPLE_RATE
"""Samples that are processed together: half a minute, a whole number of video frames."""

COMPLETE_FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU", "CAF")
"""Formats that soundfile reads to their end. In MP3 without a length header, in joined MP3 and in chained Ogg it stops
early without an error."""

MOST_HOURS = 24
"""Silence is compressed so well that a small file may hold years of it."""

SAMPLE_RATES = (1000, 768_000)
"""Lowest and highest sample rate that is taken for real, Hz."""

QUIET_PEAK, RAISED_PEAK, SILENT_PEAK = 0.02, 0.05, 1e-4
"""Audio with a peak between silence (-80 dBFS) and -34 dBFS is raised to -26 dBFS: its level must not matter, and the
speech features were trained on audio of ordinary level."""

_BLOCK_SAMPLES = 2**22
"""Largest number of values that are decoded at a time, in all channels together."""
_UNKNOWN_FRAMES = 1 << 62
"""libsndfile states more for FLAC that a program wrote without knowing the length."""
_MOST_MESSAGE_BYTES = 1 << 20
_IN_MEMORY = 8 * 2**20
"""Bytes: a minute in stereo."""
_MISSING_S, _MISSING = 0.3, 0.02
"""Audio ends early if more than this is missing, in seconds and as a share of what the header states."""
_MISSING_TRACKS_S = 1.5
"""The same for files with video, whose end is known to a second."""
_HARMLESS = re.compile(r"Header missing|non monoton|Invalid PCM packet|Last message repeated|^\[[ai]ist#|^\[dec:")
"""Messages of ffmpeg that joined and streamed files also cause, and those that repeat what the decoder has said."""
_log = logging.getLogger(__name__)
_AU_HEADER = struct.Struct(">4sIIIII")


class StreamedAudio:
    """Mono audio at 16 kHz in [-1, 1]: slices of it are tensors.

    In a video, time 0 is where the file starts: a gap before the audio track becomes silence.
    """

    def __init__(self, path: Path | str) -> None:
        """Decode a file into a temporary file, or into memory if it is short.

        Args:
            path: any audio or video file that soundfile or ffmpeg reads.
        """
        self.path = checked_file(Path(path), "an audio file")
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
        return self._mixed(start, stop) * self._gain

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
            seconds = self._store(_soundfile_blocks(self.path))
            _warn_if_short(self.path, stated_seconds(self.path), seconds)
        except (soundfile.SoundFileError, _IncompleteError):
            self._file.seek(0)
            self._file.truncate()
            messages: list[str] = []
            seconds = self._store(_ffmpeg_blocks(self.path, messages))
            if not _warn_if_short(self.path, _stated_by(probe(self.path), seconds), seconds) and messages:
                _log.warning("%s is damaged (%s); what can be decoded of it is used", self.path, last_line(messages[0]))

    def _store(self, blocks: Iterator[tuple[int, np.ndarray]]) -> float:
        """Keep every channel at 16 kHz, and find out how to mix them; returns the length in seconds."""
        rate, first = next(blocks, (SAMPLE_RATE, np.zeros((0, 1), np.float32)))
        statistics = _Statistics(first.shape[1])
        samples = itertools.chain([first], (block for _, block in blocks))
        for block in resample_blocks(map(statistics.add, samples), rate):
            _check_length(self.path, statistics.samples, rate)
            self._file.write(np.ascontiguousarray(block.T.numpy(), np.float32).tobytes())
        if statistics.samples == 0:
            raise FacetalkError(f"{self.path} holds no audio samples")
        if not statistics.is_finite:
            raise FacetalkError(
                f"{self.path} holds samples that are not numbers (NaN or infinite); export the audio again"
            )
        seconds = statistics.samples / rate
        if seconds < MIN_SECONDS:
            raise FacetalkError(f"{self.path} holds only {seconds:.3f} s of audio; at least {MIN_SECONDS} s are needed")
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


class _IncompleteError(Exception):
    """soundfile may not read all of a file."""


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


def sample_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Sample rate and samples (samples, channels) of any audio or video file, block by block, as they are stored."""
    try:
        yield from _soundfile_blocks(path)
    except (soundfile.SoundFileError, _IncompleteError):
        yield from _ffmpeg_blocks(path)


def _soundfile_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    if not is_sample_file(path):  # libsndfile prints messages of its own about MP3
        raise _IncompleteError
    # Opened by number: from the name `.raw` soundfile would conclude that there is no header.
    with path.open("rb") as opened, soundfile.SoundFile(opened.fileno(), closefd=False) as file:
        if file.format not in COMPLETE_FORMATS or not 0 < file.frames < _UNKNOWN_FRAMES:
            raise _IncompleteError
        _check_rate(path, file.samplerate)
        _check_length(path, file.frames, file.samplerate)
        size = max(1, min(10 * file.samplerate, _BLOCK_SAMPLES // file.channels))
        while len(block := file.read(size, dtype="float32", always_2d=True)):
            yield file.samplerate, block


def _check_rate(path: Path, rate: int) -> None:
    low, high = SAMPLE_RATES
    if not low <= rate <= high:
        raise FacetalkError(f"{path} states a sample rate of {rate} Hz; {low} to {high} Hz can be read")


def _check_length(path: Path, samples: int, rate: int) -> None:
    if samples > MOST_HOURS * 3600 * rate:
        raise FacetalkError(f"{path} holds more than {MOST_HOURS} hours of audio; cut it into parts")


def _ffmpeg_blocks(path: Path, heard: list[str] | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Sample rate and samples of a file, and in `heard` what was wrong with it although it could be decoded."""
    media = probe(path)
    if media.audio is None:
        raise no_audio(path)
    filters = audio_filter(longest_pause(media))
    # AU carries rate and channels in a header that may leave the length open, which a pipe needs.
    arguments = ["-v", "error", *source(path), "-map", f"0:{media.audio.index}", "-af", filters,
                 "-f", "au", "-c:a", "pcm_f32be", "pipe:1", *media.clock()]  # fmt: skip
    with tempfile.TemporaryFile() as messages:
        process = start_decoding(arguments, messages)
        assert process.stdout is not None
        try:
            header = process.stdout.read(_AU_HEADER.size)
            if len(header) == _AU_HEADER.size:
                _, offset, _, _, rate, channels = _AU_HEADER.unpack(header)
                _check_rate(path, rate)
                process.stdout.read(offset - _AU_HEADER.size)
                size = max(1, min(10 * rate, _BLOCK_SAMPLES // channels))
                while raw := process.stdout.read(4 * channels * size):
                    whole = len(raw) // (4 * channels) * 4 * channels
                    yield rate, np.frombuffer(raw[:whole], ">f4").reshape(-1, channels).astype(np.float32)
            code = process.wait()
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
        messages.seek(0)
        message = messages.read(_MOST_MESSAGE_BYTES).decode(errors="replace").strip()
        if code != 0:
            raise _failure(path, message, code)
        if heard is not None:
            heard += [line for line in message.splitlines() if line.strip() and not _HARMLESS.search(line.strip())]


def _failure(path: Path, message: str, code: int) -> FacetalkError:
    reason = message.splitlines()[-1] if message else f"ffmpeg ended with code {code}"
    return FacetalkError(f"{path} is not an audio or video file that can be read ({reason})")
