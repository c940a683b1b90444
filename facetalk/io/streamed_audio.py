"""The sound of a recording of any length, of which only what is asked for is in memory."""

from __future__ import annotations

import itertools
import struct
import subprocess
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
from facetalk.io.ffmpeg import ffmpeg_program

MIN_SECONDS = 0.1
"""Shorter recordings hold no syllable."""

BLOCK = 30 * SAMPLE_RATE
"""Samples that are worked on together: half a minute, a whole number of video frames."""

_BLOCK_S = 10
_IN_MEMORY = 64 * 2**20
"""Bytes: eight minutes in stereo."""
_AU_HEADER = struct.Struct(">4sIIIII")


class StreamedAudio:
    """Mono sound at 16 kHz in [-1, 1]: slices of it are tensors.

    In a video the sound starts where the file starts: a gap before the sound track becomes silence.
    """

    def __init__(self, path: Path | str) -> None:
        """Decode a recording or a video into a temporary file, unless it is short.

        Args:
            path: any file that soundfile or ffmpeg reads.
        """
        self.path = _readable(Path(path))
        try:
            self._store(_soundfile_blocks(self.path))
        except soundfile.SoundFileError:
            self._store(_ffmpeg_blocks(self.path))

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

    def _store(self, blocks: Iterator[tuple[int, np.ndarray]]) -> None:
        """Keep every channel at 16 kHz, and find how to mix them."""
        # Lives as long as the sound does; the system removes it with the process.
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        rate, first = next(blocks, (SAMPLE_RATE, np.zeros((0, 1), np.float32)))
        tally = _Tally(first.shape[1])
        sound = itertools.chain([first], (samples for _, samples in blocks))
        for block in resample_blocks(map(tally.count, sound), rate):
            self._file.write(np.ascontiguousarray(block.T.numpy(), np.float32).tobytes())
        if tally.samples == 0:
            raise FacetalkError(f"{self.path} holds no audio samples")
        if not tally.is_finite:
            raise FacetalkError(
                f"{self.path} holds samples that are not numbers (NaN or infinite); export the sound again"
            )
        seconds = tally.samples / rate
        if seconds < MIN_SECONDS:
            raise FacetalkError(f"{self.path} holds only {seconds:.3f} s of sound; at least {MIN_SECONDS} s are needed")
        self._signs = channel_signs(tally.products).float() / first.shape[1]
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


class _Tally:
    """What is learnt of a sound while it passes."""

    def __init__(self, channels: int) -> None:
        self.samples = 0
        self.is_finite = True
        self.products = torch.zeros(channels, channels, dtype=torch.float64)

    def count(self, block: np.ndarray) -> Float[Tensor, "channels samples"]:
        """The block (samples, channels), channels first."""
        self.samples += len(block)
        self.is_finite = self.is_finite and bool(np.isfinite(block).all())
        channels = torch.from_numpy(np.ascontiguousarray(block.T, np.float32))
        self.products += (channels @ channels.T).double()
        return channels


def _readable(path: Path) -> Path:
    if not path.is_file():
        raise FacetalkError(f"{path} is a folder, not a recording" if path.is_dir() else f"no such file: {path}")
    if path.stat().st_size == 0:
        raise FacetalkError(f"{path} is empty (0 bytes)")
    return path


def _soundfile_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Rate, and samples (samples, channels), block by block."""
    with soundfile.SoundFile(path) as file:
        while len(block := file.read(_BLOCK_S * file.samplerate, dtype="float32", always_2d=True)):
            yield file.samplerate, block


def _ffmpeg_blocks(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """As `_soundfile_blocks`, of the first sound track that ffmpeg finds."""
    # first_pts=0 keeps the sound in step with the picture where the sound track starts later; AU carries rate and
    # channels in a header that may leave the length open, which a pipe needs.
    command = [ffmpeg_program(), "-v", "error", "-nostdin", "-i", str(path), "-map", "0:a:0",
               "-af", "aresample=async=1:first_pts=0", "-f", "au", "-c:a", "pcm_f32be", "-"]  # fmt: skip
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages)
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
    if "matches no streams" in message:
        return FacetalkError(f"{path} has no sound track; give a recording or a video with sound")
    reason = message.splitlines()[-1] if message else f"ffmpeg ended with code {code}"
    return FacetalkError(f"{path} is not a sound or video file that can be read ({reason})")
