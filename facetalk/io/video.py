"""Video files in: frames with their true times, decoded by ffmpeg."""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.ffmpeg import TURNS, source, start_decoding
from facetalk.io.media import Media, Stream, checked_file, probe
from facetalk.io.timeline import Timeline, longest_pause

_log = logging.getLogger(__name__)

DETECTION_SIDE = 1280
"""Longest side of frames that are decoded to find faces or to cut them out, pixels: face landmarks are detected on
192 x 192 pixels, so more would only cost time."""

MAX_SIDE = 16_384
"""Longest side of frames, pixels; a frame may have a quarter of the pixels of such a square."""

_PIPE_BYTES = 2**20
"""Size of the pipe from ffmpeg: the largest that Linux gives to every user."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says about itself."""

    size: tuple[int, int]
    """Width and height as shown: after rotation, with square pixels."""
    fps: float
    """Mean frame rate that the file states."""
    duration_s: float | None
    """Length, if the file states one."""
    has_audio: bool
    stream: int
    """Number of the video stream in the file."""


def read_video_info(path: Path | str) -> VideoInfo:
    """Size, frame rate and length of a video without decoding it."""
    return _video_info(probe(checked_file(Path(path), "a video")))


def _video_info(media: Media) -> VideoInfo:
    stream = media.video
    if stream is None:
        raise FacetalkError(f"{media.path} has no video track, only audio; give a video")
    size = _shown_size(stream, media.path)
    return VideoInfo(size, _frame_rate(stream.line), media.duration_s, media.audio is not None, stream.index)


def _frame_rate(line: str) -> float:
    """Frames per second that ffmpeg's line about a stream states; exact for the rates that it rounds, such as 23.98."""
    rate = re.search(r"([\d.]+)(k?) fps", line) or re.search(r"([\d.]+)(k?) tbr", line)
    if rate is None:
        return 25.0
    fps = float(rate[1]) * (1000 if rate[2] else 1)
    if fps <= 0:
        return 25.0
    ntsc = round(fps * 1.001) * 1000 / 1001
    return ntsc if fps != round(fps) and abs(fps - ntsc) < 0.0051 else fps


def _shown_size(stream: Stream, path: Path) -> tuple[int, int]:
    """Width and height with square pixels, turned upright."""
    size = re.search(r"[ ,](\d+)x(\d+)[ ,\[]", stream.line + " ")
    if size is None:
        raise FacetalkError(f"{path}: ffmpeg does not know the size of its frames ({stream.line[:80]})")
    width, height = int(size[1]), int(size[2])
    aspect = re.search(r"SAR (\d+):(\d+)", stream.line)
    stretch = int(aspect[1]) / max(int(aspect[2]), 1) if aspect is not None else 1.0
    # 1280:1281 and the like come from rounding when a video was cropped.
    if stretch > 0 and abs(stretch - 1) > 0.01:
        width = max(1, round(width * stretch))
    if max(width, height) > MAX_SIDE or width * height > MAX_SIDE**2 / 4:
        raise FacetalkError(f"{path} states frames of {width}x{height} pixels; that is no video of a face")
    rotation = re.search(r"rotation of (-?[\d.]+) degrees", stream.details)
    if rotation is not None and round(abs(float(rotation[1]))) % 180 == 90:
        width, height = height, width
    return width, height


class Region(NamedTuple):
    """Part of a frame, pixels of the video as shown."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


class VideoReader:
    """Decodes the frames of a video: iterates over `(time_s, image)`.

    `time_s` is when a frame is shown, counted from the start of the file, where its audio starts too; the steps are as
    uneven as the file's. `image` is RGB uint8 (height, width, 3), upright, with square pixels, and belongs to the
    caller.
    """

    def __init__(
        self, path: Path | str, *, max_side: int | None = None, turn: int = 0, region: Region | None = None
    ) -> None:
        """Read the file's header.

        Args:
            path: any video that ffmpeg reads.
            max_side: frames with a longer side are made smaller while decoding, pixels.
            turn: counterclockwise quarter turns to apply to the frames, for a video that does not state its rotation;
                they count as part of the video, so that its size is that of the turned frames.
            region: the part of the frames to decode; all if None.
        """
        self.path = Path(path)
        media = probe(checked_file(self.path, "a video"))
        stated = _video_info(media)
        self._unturned_size = stated.size
        self.turn = turn % 4
        self.info = replace(stated, size=stated.size[::-1]) if self.turn % 2 else stated
        self.region = region or Region(0, 0, *self.info.size)
        self._media, self._clock = media, media.clock()
        width, height = self.region.width, self.region.height
        shrink = min(1.0, max_side / max(width, height)) if max_side else 1.0
        self.size = max(1, round(width * shrink)), max(1, round(height * shrink))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def fps(self) -> float:
        """Mean frame rate that the file states."""
        return self.info.fps

    @property
    def duration_s(self) -> float | None:
        """Length in seconds, if the file states one."""
        return self.info.duration_s

    @property
    def expected_frames(self) -> int:
        """Number of frames that the header suggests; 0 if it does not state a length."""
        return round((self.info.duration_s or 0) * self.info.fps)

    @property
    def scale_to_shown(self) -> Float[np.ndarray, "3"]:
        """Factors from decoded pixels to those of the video as shown: x, y, and x again for depth."""
        x, y = self.region.width / self.size[0], self.region.height / self.size[1]
        return np.array([x, y, x], np.float32)

    @property
    def scale(self) -> float:
        """Decoded pixels for each pixel of the video as shown."""
        return self.size[0] / self.region.width

    def to_shown(self, points: Float[np.ndarray, "*points 3"]) -> Float[np.ndarray, "*points 3"]:
        """Points in decoded pixels as points in pixels of the video as shown, depth on the scale of x."""
        return points * self.scale_to_shown + np.array([self.region.left, self.region.top, 0], np.float32)

    def _filters(self) -> str:
        """Filters that turn, cut and scale the frames."""
        if self.turn == 0 and self.region.size == self.info.size:
            return _fitted(*self.size)
        filters = [_fitted(*self._unturned_size), *TURNS[self.turn]]
        if self.region.size != self.info.size:
            filters.append("crop={}:{}:{}:{}:exact=1".format(*self.region.size, self.region.left, self.region.top))
        return ",".join([*filters, "scale={}:{}".format(*self.size)])

    @property
    def has_audio(self) -> bool:
        """Whether there is an audio track."""
        return self.info.has_audio

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop decoding early; harmless if it has ended."""
        process, self._process = self._process, None
        if process is not None:
            # The iterator closes the pipes when it ends; another thread is reading one of them.
            process.kill()
            process.wait()

    def __iter__(self) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
        """Decode from the start."""
        self.close()
        width, height = self.size
        # showinfo writes each frame's time to stderr before the frame itself goes to stdout.
        process = start_decoding(
            [*source(self.path), "-map", f"0:{self.info.stream}", "-vf",
             f"{self._filters()},showinfo=checksum=0", "-fps_mode", "passthrough", "-f", "rawvideo",
             "-pix_fmt", "rgb24", "pipe:1", *self._clock]
        )  # fmt: skip
        self._process = process
        assert process.stdout is not None and process.stderr is not None
        _widen(process.stdout)
        times: queue.Queue[float | None] = queue.Queue()
        tail: list[str] = []
        listener = threading.Thread(target=_read_messages, args=(process.stderr, times, tail), daemon=True)
        listener.start()
        try:
            count, time_s = 0, 0.0
            timeline = Timeline(1 / self.fps, longest_pause(self._media))
            while True:
                image = np.empty((height, width, 3), np.uint8)
                if not _fill(process.stdout, image):
                    break
                stated = times.get()
                stated = None if stated is None else timeline.shown(stated)
                time_s = shown_time(stated, time_s if count else None, self.fps)
                count += 1
                yield time_s, image
            code = process.wait()
            listener.join()
            self._warn_if_truncated(time_s)
            if count == 0 or code != 0:
                reason = tail[-1] if tail else f"ffmpeg ended with code {code}"
                what = f"decoding stopped after {count} frames" if count else "no frame can be decoded"
                raise FacetalkError(f"{self.path}: {what} ({reason})")
        finally:
            if self._process is process:
                self._process = None
            process.kill()
            process.stdout.close()
            listener.join()
            process.wait()

    def _warn_if_truncated(self, last_s: float) -> None:
        missing = (self.info.duration_s or 0.0) - last_s
        if missing > max(1.0, 0.1 * last_s):
            _log.warning("%s ends early: its header states %.2f s, the last frame is at %.2f s",
                         self.path, self.info.duration_s, last_s)  # fmt: skip


def shown_time(stated: float | None, before: float | None, fps: float) -> float:
    """When a frame is shown, seconds: as stated, but always after the frame before.

    A stream without times (raw H.264, say) runs at its stated rate; a frame with the time of the one before, or an
    earlier one, is shown half a frame after it.

    Args:
        stated: the time in the file, if there is one.
        before: time of the frame before; None for the first one.
        fps: frame rate that the file states.
    """
    if before is None:
        return stated or 0.0
    if stated is None:
        return before + 1 / fps
    return stated if stated > before else before + 0.5 / fps


def _fitted(width: int, height: int) -> str:
    """Filter that scales frames to a size. Where the aspect ratio changes midway, bars keep the proportions."""
    wide = f"abs({height}*dar-{width})"
    return (
        f"scale=w='if(lt({wide},0.02*{width}),{width},min({width},{height}*dar))'"
        f":h='if(lt({wide},0.02*{width}),{height},min({height},{width}/dar))':eval=frame,"
        f"pad={width}:{height}:-1:-1:eval=frame"
    )


def video_frames(
    path: Path | str, count: int, fps: float, size: tuple[int, int], *, turn: int = 0
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Frames of a video at an even rate: the frame shown at each time; the last one is repeated.

    Args:
        path: any video that ffmpeg reads.
        count: number of frames.
        fps: frames a second.
        size: width and height of the frames, pixels; another aspect ratio is a `UsageError`.
        turn: see `VideoReader`.
    """
    with VideoReader(path, max_side=max(size), turn=turn) as video:
        if not math.isclose(video.size[0] / video.size[1], size[0] / size[1], rel_tol=0.02):
            raise UsageError(
                f"{path} is {video.size[0]}x{video.size[1]}, the motion was fitted to a video of another shape"
            )
        decoded = iter(video)
        _, image = next(decoded)
        coming = next(decoded, None)
        for index in range(count):
            # Half a frame of slack keeps both in step where they have the same rate.
            while coming is not None and coming[0] <= (index + 0.5) / fps:
                image, coming = coming[1], next(decoded, None)
            fits = image.shape[1::-1] == size
            yield image if fits else np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


_TIME = re.compile(r"\] n: *\d+ pts: *(-?\d+|NOPTS) ")
_TIME_BASE = re.compile(r"config in time_base: (\d+)/(\d+)")


def _read_messages(stderr: IO[bytes], times: queue.Queue[float | None], tail: list[str]) -> None:
    """Sort ffmpeg's messages: frame times, and the last lines that are something else."""
    base = Fraction(1, 1000)
    with stderr:
        for raw in stderr:
            line = raw.decode(errors="replace").strip()
            if (found := _TIME.search(line)) is not None:
                times.put(None if found[1] == "NOPTS" else float(int(found[1]) * base))
            elif (found := _TIME_BASE.search(line)) is not None:
                base = Fraction(int(found[1]), int(found[2]))
            elif line and "showinfo" not in line:
                tail[:] = [*tail[-3:], line]
    times.put(None)


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold a whole frame, where the system can do that: both sides then wait for each other less often."""
    try:
        from fcntl import F_SETPIPE_SZ, fcntl
    except ImportError:  # no Linux
        return
    with contextlib.suppress(OSError):  # more than this user may have
        fcntl(pipe.fileno(), F_SETPIPE_SZ, _PIPE_BYTES)


def _fill(stream: IO[bytes], image: np.ndarray) -> bool:
    """Read one whole frame; False at the end, also in the middle of a truncated frame."""
    room = image.data.cast("B")
    done = 0
    while done < len(room):
        got = stream.readinto(room[done:])  # type: ignore[attr-defined]
        if not got:
            return False
        done += got
    return True
