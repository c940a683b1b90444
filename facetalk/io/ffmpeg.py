"""Runs of the ffmpeg program that imageio-ffmpeg carries."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from facetalk.core.errors import FacetalkError, MissingAssetError


def ffmpeg_program() -> str:
    """Path of the ffmpeg program."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        raise MissingAssetError(
            "no ffmpeg program: reinstall imageio-ffmpeg (its wheel carries one) or set IMAGEIO_FFMPEG_EXE"
        ) from None


class FfmpegRun:
    """One run of ffmpeg whose failure becomes an error with its last message."""

    def __init__(self, path: Path, arguments: list[str]) -> None:
        self.path = path
        self.arguments = arguments

    def __enter__(self) -> FfmpegRun:
        self._messages = tempfile.TemporaryFile()
        command = [ffmpeg_program(), "-v", "error", "-nostats", "-y", *self.arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._messages
        )
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._close_input()
        self._process.wait()
        self._messages.close()

    def feed(self, image: np.ndarray) -> None:
        """Hand over one picture."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(image).data.cast("B"))
        except BrokenPipeError:
            self._process.wait()
            raise self._failure() from None

    def check(self) -> None:
        """Raise if the program has failed already."""
        if self._process.poll():
            raise self._failure()

    def finish(self) -> None:
        """Wait for the end, which has to be a good one."""
        self._close_input()
        if self._process.wait() != 0:
            raise self._failure()

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def _failure(self) -> FacetalkError:
        self._messages.seek(0)
        message = self._messages.read().decode(errors="replace")
        if "matches no streams" in message:
            source = self.arguments[self.arguments.index("-i") + 1]
            return FacetalkError(
                f"{source.removeprefix('file:')} has no sound track; give a recording or a video with sound"
            )
        return FacetalkError(f"cannot write {self.path}: ffmpeg says {last_line(message)!r}")


def last_line(message: str) -> str:
    """What ffmpeg said last, without the name of the part that said it."""
    lines = [line.strip() for line in message.splitlines() if line.strip() and "At least one output" not in line]
    return re.sub(r"^\[[^\]]*\]\s*", "", lines[-1]) if lines else "nothing"
