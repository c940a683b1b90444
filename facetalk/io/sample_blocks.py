"""Decoding of any audio or video file, block by block."""

from __future__ import annotations

import re
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from facetalk.core.errors import FacetalkError
from facetalk.io.ffmpeg import last_line, no_audio, source, start_decoding, unreadable
from facetalk.io.media import probe
from facetalk.io.stated_length import is_sample_file
from facetalk.io.timeline import audio_filter, longest_pause

COMPLETE_FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU", "CAF")
"""Formats that soundfile reads to their end. In MP3 without a length header, in joined MP3 and in chained Ogg it stops
early without an error."""

MOST_HOURS = 24
"""Silence is compressed so well that a small file may hold years of it."""

SAMPLE_RATES = (1000, 768_000)
"""Lowest and highest sample rate that is taken for real, Hz."""

_BLOCK_SAMPLES = 2**22
"""Largest number of values that are decoded at a time, in all channels together."""
_UNKNOWN_FRAMES = 1 << 62
"""libsndfile states more for FLAC that a program wrote without knowing the length."""
_MOST_MESSAGE_BYTES = 1 << 20
_HARMLESS = re.compile(r"Header missing|non monoton|Invalid PCM packet|Last message repeated|^\[[ai]ist#|^\[dec:")
"""Messages of ffmpeg that joined and streamed files also cause, and those that repeat what the decoder has said."""
_AU_HEADER = struct.Struct(">4sIIIII")


class IncompleteError(Exception):
    """soundfile may not read all of a file."""


def sample_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Sample rate and samples (samples, channels) of any audio or video file, block by block, as they are stored."""
    try:
        yield from soundfile_blocks(path)
    except (soundfile.SoundFileError, IncompleteError):
        yield from ffmpeg_blocks(path)


def soundfile_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Sample rate and samples of a file that libsndfile reads to its end.

    Raises:
        IncompleteError: it is none.
        soundfile.SoundFileError: it is damaged, after the blocks before that.
    """
    if not is_sample_file(path):  # libsndfile prints messages of its own about MP3
        raise IncompleteError
    # Opened by number: from the name `.raw` soundfile would conclude that there is no header.
    with path.open("rb") as opened, soundfile.SoundFile(opened.fileno(), closefd=False) as file:
        if file.format not in COMPLETE_FORMATS or not 0 < file.frames < _UNKNOWN_FRAMES:
            raise IncompleteError
        _check_rate(path, file.samplerate)
        check_length(path, file.frames, file.samplerate)
        size = max(1, min(10 * file.samplerate, _BLOCK_SAMPLES // file.channels))
        while len(block := file.read(size, dtype="float32", always_2d=True)):
            yield file.samplerate, block


def _check_rate(path: Path, rate: int) -> None:
    low, high = SAMPLE_RATES
    if not low <= rate <= high:
        raise FacetalkError(f"{path} states a sample rate of {rate} Hz; {low} to {high} Hz can be read")


def check_length(path: Path, samples: int, rate: int) -> None:
    """Raise if this is more than `MOST_HOURS`."""
    if samples > MOST_HOURS * 3600 * rate:
        raise FacetalkError(f"{path} holds more than {MOST_HOURS} hours of audio; cut it into parts")


def ffmpeg_blocks(path: Path, heard: list[str] | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Sample rate and samples of any file.

    Args:
        path: audio or video.
        heard: gets what was wrong with it although it could be decoded.
    """
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
    return unreadable(path, last_line(message) if message else f"ffmpeg ended with code {code}")
