"""What is inside a media file, which of its streams count, and how to decode them in step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from facetalk.core.errors import FacetalkError
from facetalk.io.ffmpeg import describe
from facetalk.io.files import what_is

_STREAM = re.compile(r"^\s*Stream #0:(\d+)[^\n]*?: (Video|Audio): ([^\n]*)", re.MULTILINE)
_STILL_CODECS = ("mjpeg", "png", "bmp", "gif", "webp", "tiff", "ansi")
"""Codecs of thumbnails. A stream of these counts as the video only where there is no other, as from a webcam."""
_NO_FORMAT = "no known audio or video format was recognized; samples without a header and playlists cannot be read"
_REASONS = {
    "moov atom not found": "the index at its end, without which it cannot be decoded, is missing: it was cut off",
    "Permission denied": "permission denied",
    "Input #0": "it holds neither audio nor video",
}
_SHARED_CLOCK = ("mpegts", "mpeg", "vob")
"""Containers whose streams ffmpeg shifts to zero one by one if it decodes them one by one."""


@dataclass(frozen=True)
class Stream:
    """One video or audio stream."""

    index: int
    """Number in the file."""
    line: str
    """ffmpeg's description: codec, format, size, rates."""
    details: str
    """The lines below it, which name a rotation, for example."""

    @property
    def is_default(self) -> bool:
        """Whether the file marks this stream as the one to play."""
        return "(default)" in self.line

    @property
    def is_still(self) -> bool:
        """Whether this is a thumbnail or cover rather than a video."""
        return self.line.startswith(_STILL_CODECS)


@dataclass(frozen=True)
class Media:
    """What a media file says about itself."""

    path: Path
    container: str
    """ffmpeg's names of the format, separated by commas."""
    duration_s: float | None
    """Length, if the file states one."""
    videos: tuple[Stream, ...]
    audios: tuple[Stream, ...]
    start_s: float = 0.0
    """When the first track starts. Some containers count it in their length."""
    is_estimated: bool = False
    """Whether the length was concluded from the size of the file and the bit rate."""

    @property
    def video(self) -> Stream | None:
        """The video stream that a player shows: no cover image, marked as default, or the first one."""
        videos = [stream for stream in self.videos if "attached pic" not in stream.line]
        return min(videos, key=lambda stream: (stream.is_still, not stream.is_default, stream.index), default=None)

    @property
    def audio(self) -> Stream | None:
        """The audio stream that a player plays: marked as default, or the first one."""
        return min(self.audios, key=lambda stream: (not stream.is_default, stream.index), default=None)

    def clock(self) -> list[str]:
        """Arguments of a second output that keeps the times of video and audio on one clock, where that is needed.

        ffmpeg lets a transport or program stream start with the first packet of the streams that it decodes, so audio
        that starts late would be moved to the start. Here the player's video and audio are both read, and dropped.
        """
        if self.video is None or self.audio is None or not set(self.container.split(",")) & set(_SHARED_CLOCK):
            return []
        maps = [argument for stream in (self.video, self.audio) for argument in ("-map", f"0:{stream.index}")]
        return [*maps, "-c", "copy", "-f", "null", "-"]


def probe(path: Path | str) -> Media:
    """Read what a media file says about itself, without decoding it.

    Raises:
        FacetalkError: the file does not exist, is empty, or is no audio or video file.
    """
    path = checked_file(Path(path), "a media file")
    state = path.stat()
    return _probed(path, (state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=16)
def _probed(path: Path, state: tuple[int, ...]) -> Media:
    """What a file says in one state of it: several readers of one file ask."""
    report = describe(path)
    found = list(_STREAM.finditer(report))
    if not found:
        raise FacetalkError(f"{path} is not an audio or video file that can be read ({_why(report)})")
    ends = [match.start() for match in found[1:]] + [len(report)]
    streams = [
        (match[2], Stream(int(match[1]), match[3], report[match.end() : end]))
        for match, end in zip(found, ends, strict=True)
    ]
    container = re.search(r"^Input #0, ([\w,]+)", report, re.MULTILINE)
    length = re.search(r"Duration: (\d+):(\d+):([\d.]+)(?:, start: ([\d.]+))?", report)
    return Media(
        path=path,
        container=container[1].rstrip(",") if container else "",
        duration_s=int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3]) if length else None,
        videos=tuple(stream for kind, stream in streams if kind == "Video"),
        audios=tuple(stream for kind, stream in streams if kind == "Audio"),
        start_s=float(length[4] or 0) if length else 0.0,
        is_estimated="Estimating duration from bitrate" in report,
    )


def _why(report: str) -> str:
    """Why ffmpeg found no stream."""
    for sign, reason in _REASONS.items():
        if sign in report:
            return reason
    return _NO_FORMAT


def checked_file(path: Path, wanted: str) -> Path:
    """The path, if it is a file that is not empty.

    Args:
        path: what the user named.
        wanted: what it should be, for the error: `a video`.
    """
    if not path.exists():
        raise FacetalkError(f"no such file: {path}")
    if not path.is_file():
        raise FacetalkError(f"{path} is {what_is(path)}, not {wanted}; give a regular file")
    if path.stat().st_size == 0:
        raise FacetalkError(f"{path} is empty (0 bytes)")
    return path
