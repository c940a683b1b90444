"""Audio of any length, of which only the requested samples are in memory."""

from __future__ import annotations

import itertools
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
from facetalk.io.ffmpeg import has_no_stream, no_audio, start_decoding

MIN_SECONDS = 0.1
"""Anything shorter cannot hold a syllable."""

BLOCK = 30 * SAMPLE_RATE
"""Samples that are processed together: half a minute, a whole number of video frames."""

_BLOCK_S = 10
_IN_MEMORY = 64 * 2**20
"""Bytes: eight minutes in stereo."""
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
        self.path = _checked_file(Path(path))
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
            self._store(_soundfile_blocks(self.path))
        except soundfile.SoundFileError:
            self._file.seek(0)
            self._file.truncate()
            self._store(_ffmpeg_blocks(self.path))

    def _store(self, blocks: Iterator[tuple[int, np.ndarray]]) -> None:
        """Keep every channel at 16 kHz, and find out how to mix them."""
        rate, first = next(blocks, (SAMPLE_RATE, np.zeros((0, 1), np.float32)))
        statistics = _Statistics(first.shape[1])
        samples = itertools.chain([first], (block for _, block in blocks))
        for block in resample_blocks(map(statistics.add, samples), rate):
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
        peaks = [self._mixed(start, start + BLOCK).abs().max() for start in range(0, self._length, BLOCK)]
        self._gain = 1 / max(1.0, float(max(peaks)))

    @property
    def _row_bytes(self) -> int:
        return 4 * len(self._signs)

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


def _checked_file(path: Path) -> Path:
    if not path.is_file():
        raise FacetalkError(f"{path} is a folder, not an audio file" if path.is_dir() else f"no such file: {path}")
    if path.stat().st_size == 0:
        raise FacetalkError(f"{path} is empty (0 bytes)")
    return path


def _soundfile_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Sample rate, and samples (samples, channels), block by block."""
    with soundfile.SoundFile(path) as file:
        while len(block := file.read(_BLOCK_S * file.samplerate, dtype="float32", always_2d=True)):
            yield file.samplerate, block


def _ffmpeg_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """As `_soundfile_blocks`, of the first audio track that ffmpeg finds."""
    # first_pts=0 keeps audio and video in step where the audio track starts later; AU carries rate and channels in a
    # header that may leave the length open, which a pipe needs.
    arguments = ["-v", "error", "-i", str(path), "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0",
                 "-f", "au", "-c:a", "pcm_f32be", "-"]  # fmt: skip
    with tempfile.TemporaryFile() as messages:
        process = start_decoding(arguments, messages)
        assert process.stdout is not None
        try:
            header = process.stdout.read(_AU_HEADER.size)
            if len(header) == _AU_HEADER.size:
                _, offset, _, _, rate, channels = _AU_HEADER.unpack(header)
                process.stdout.read(offset - _AU_HEADER.size)
                while raw := process.stdout.read(4 * channels * rate * _BLOCK_S):
                    whole = len(raw) // (4 * channels) * 4 * channels
                    yield rate, np.frombuffer(raw[:whole], ">f4").reshape(-1, channels).astype(np.float32)
            code = process.wait()
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
        if code != 0:
            messages.seek(0)
            raise _failure(path, messages.read().decode(errors="replace").strip(), code)


def _failure(path: Path, message: str, code: int) -> FacetalkError:
    if has_no_stream(message):
        return no_audio(path)
    reason = message.splitlines()[-1] if message else f"ffmpeg ended with code {code}"
    return FacetalkError(f"{path} is not an audio or video file that can be read ({reason})")
