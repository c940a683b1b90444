"""Every run of the ffmpeg program, which comes with imageio-ffmpeg."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import numpy as np

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.leftovers import started

_PIPE = 1 << 20
"""Size of the pipe to an encoder, bytes: the most that Linux allows by default."""

_QUIET = ["-v", "error", "-nostats"]

DEMUXERS = (
    "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "vob", "flv",
    "live_flv", "asf", "asf_o", "rm", "mxf", "nut", "wtv", "dv", "gxf", "ivf", "ogv", "h264", "hevc", "vvc", "m4v",
    "obu", "av1", "vc1", "mjpeg", "yuv4mpegpipe", "gif", "apng", "webp_anim", "ogg", "wav", "w64", "mp3", "aac",
    "loas", "flac", "aiff", "au", "caf", "amr", "amrnb", "amrwb", "ac3", "eac3", "dts", "dtshd", "truehd", "mlp",
    "tta", "ape", "tak", "wv", "mpc", "mpc8", "voc", "dsf", "iff", "gsm", "sox", "nistsphere", "ircam", "xwma", "act",
    "aa", "aax", "iamf",
)  # fmt: skip
"""Formats that may be opened: those that hold their audio and video themselves. Playlists and manifests (HLS, DASH,
concat, SDP), numbered images, scripts and subtitles are missing, because they name other files or addresses."""

_CONSEQUENCE = re.compile(r"At least one output|^Error opening output file|Last message repeated")
"""Messages that say what follows from the reason."""

TURNS = ((), ("transpose=cclock",), ("hflip", "vflip"), ("transpose=clock",))
"""Filters of 0 to 3 counterclockwise quarter turns."""


def ffmpeg_program() -> str:
    """Path of the ffmpeg program."""
    import imageio_ffmpeg

    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        raise MissingAssetError(
            "no ffmpeg program: reinstall imageio-ffmpeg (its wheel carries one) or set IMAGEIO_FFMPEG_EXE"
        ) from None


def ffmpeg_version() -> str:
    """What the program says it is, such as `ffmpeg version 7.0.2`."""
    try:
        done = subprocess.run([ffmpeg_program(), "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingAssetError(f"ffmpeg does not run ({error}); reinstall imageio-ffmpeg") from None
    return " ".join(done.stdout.split()[:3])


def source(path: Path | str) -> list[str]:
    """Arguments that open a media file, and nothing that this file or its name may refer to.

    The path is absolute and marked as a file, so that no part of a name is taken for a protocol or an option.
    """
    return [
        "-protocol_whitelist",
        "file",
        "-format_whitelist",
        ",".join(DEMUXERS),
        "-i",
        f"file:{Path(path).absolute()}",
    ]


def describe(path: Path) -> str:
    """ffmpeg's report on a media file: its streams and its duration."""
    command = [ffmpeg_program(), "-hide_banner", "-nostdin", *source(path)]
    # It always exits with an error because no output is named; the report comes before that.
    return subprocess.run(command, capture_output=True, check=False).stderr.decode(errors="replace")


def read_output(arguments: list[str]) -> tuple[int, bytes, str]:
    """Run to the end: exit code, standard output and messages."""
    command = [ffmpeg_program(), *_QUIET, "-nostdin", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def start_decoding(arguments: list[str], messages: IO[bytes] | int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """Start a run whose standard output is read as it comes.

    Args:
        arguments: without the program.
        messages: where warnings and errors go; a pipe if not given, which must be read too.
    """
    command = [ffmpeg_program(), "-hide_banner", "-nostats", "-nostdin", *arguments]
    return started(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages))


class Encoding:
    """One run that writes a file from frames fed to it; its failure becomes an error with ffmpeg's last message."""

    def __init__(self, path: Path, arguments: list[str]) -> None:
        """Describe the run; it starts with the block.

        Args:
            path: file that the user asked for, named in errors.
            arguments: without the program.
        """
        self.path = path
        self.arguments = arguments

    def __enter__(self) -> Encoding:
        self._messages = tempfile.TemporaryFile()
        command = [ffmpeg_program(), *_QUIET, "-y", *self.arguments]
        self._process = started(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._messages)
        )
        assert self._process.stdin is not None
        _widen(self._process.stdin)
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._close_input()
        self._process.wait()
        self._messages.close()

    def feed(self, data: np.ndarray) -> None:
        """Pass on one frame."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(data).data.cast("B"))
        except BrokenPipeError:
            self._process.wait()
            raise self._failure() from None

    def check(self) -> None:
        """Raise if the program has failed already."""
        if self._process.poll():
            raise self._failure()

    def finish(self) -> None:
        """Wait for the program to end; raise if it failed."""
        self._close_input()
        if self._process.wait() != 0:
            raise self._failure()

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    @property
    def _opened(self) -> str:
        """The first input."""
        return self.arguments[self.arguments.index("-i") + 1].removeprefix("file:")

    def _failure(self) -> FacetalkError:
        self._messages.seek(0)
        message = self._messages.read().decode(errors="replace")
        if has_no_stream(message):
            return no_audio(self._opened)
        if "decoder" in message:  # a header that states what no decoder takes; nothing is wrong with the output
            return unreadable(self._opened, last_line(message))
        return FacetalkError(f"cannot write {self.path}: ffmpeg says {last_line(message)!r}")


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold whole frames, where the system can: the reader then wakes once for each, not for each 64 KB."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)


def has_no_stream(message: str) -> bool:
    """Whether ffmpeg failed because the file has no stream of the kind that was asked for."""
    return "matches no streams" in message


def no_audio(path: Path | str) -> FacetalkError:
    """The error for a file without audio."""
    return FacetalkError(f"{path} has no audio track; give an audio file or a video with audio")


def unreadable(path: Path | str, reason: str) -> FacetalkError:
    """The error for a file that ffmpeg cannot decode."""
    return FacetalkError(f"{path} is not an audio or video file that can be read ({reason})")


def last_line(message: str) -> str:
    """The last message of ffmpeg that gives a reason, without the names of the components that wrote it."""
    lines = [line.strip() for line in message.splitlines() if line.strip() and not _CONSEQUENCE.search(line)]
    return re.sub(r"^(\[[^\]]*\]\s*)+", "", lines[-1]) if lines else "nothing"
