"""Video files through the ffmpeg program of imageio-ffmpeg: pictures with their true times in, MP4 with sound out."""

from __future__ import annotations

import math
import queue
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.timing import SAMPLE_RATE
from facetalk.io.ffmpeg import FfmpegRun, ffmpeg_program, last_line
from facetalk.io.files import replacing

PRESET, QUALITY = "veryfast", "18"
"""x264's speed and constant rate factor: visually lossless at 2 ms a frame of 512x512."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says of itself."""

    size: tuple[int, int]
    """Width and height as shown: after rotation, with square pixels."""
    fps: float
    """Mean frame rate that the file states."""
    duration_s: float | None
    """Length, if the file states one."""
    has_audio: bool
    stream: int
    """Number of the picture stream in the file."""


def read_video_info(path: Path | str) -> VideoInfo:
    """Size, rate and length of a video without decoding it."""
    path = Path(path)
    if not path.is_file():
        raise FacetalkError(f"{path} is a folder, not a video" if path.is_dir() else f"no such file: {path}")
    if path.stat().st_size == 0:
        raise FacetalkError(f"{path} is empty (0 bytes)")
    command = [ffmpeg_program(), "-hide_banner", "-nostdin", "-i", f"file:{path}"]
    # Ends with an error because no output is named; what it found stands before that.
    report = subprocess.run(command, capture_output=True, check=False).stderr.decode(errors="replace")
    return _parse_info(report, path)


def _parse_info(report: str, path: Path) -> VideoInfo:
    streams = list(re.finditer(r"^\s*Stream #0:(\d+)[^\n]*?: (Video|Audio): ([^\n]*)", report, re.MULTILINE))
    if not streams:
        raise FacetalkError(f"{path} is not a video that can be read ({last_line(report)})")
    pictures = [s for s in streams if s[2] == "Video" and "attached pic" not in s[3] and not s[3].startswith("ansi")]
    if not pictures:
        raise FacetalkError(f"{path} has no picture track, only sound; give a video")
    stream = pictures[0]
    line = stream[3]
    size = re.search(r"[ ,](\d+)x(\d+)[ ,\[]", line + " ")
    if size is None:
        raise FacetalkError(f"{path}: ffmpeg does not know the size of its pictures ({line[:80]})")
    width, height = int(size[1]), int(size[2])
    aspect = re.search(r"SAR (\d+):(\d+)", line)
    stretch = int(aspect[1]) / max(int(aspect[2]), 1) if aspect is not None else 1.0
    # 1280:1281 and the like are rounding of whoever cut the video.
    if stretch > 0 and abs(stretch - 1) > 0.01:
        width = max(1, round(width * stretch))
    following = [s.start() for s in streams if s.start() > stream.start()]
    details = report[stream.end() : min(following, default=len(report))]
    rotation = re.search(r"rotation of (-?[\d.]+) degrees", details)
    if rotation is not None and round(abs(float(rotation[1]))) % 180 == 90:
        width, height = height, width
    rate = re.search(r"([\d.]+)(k?) fps", line) or re.search(r"([\d.]+)(k?) tbr", line)
    fps = float(rate[1]) * (1000 if rate[2] else 1) if rate else 25.0
    length = re.search(r"Duration: (\d+):(\d+):([\d.]+)", report)
    duration = int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3]) if length else None
    return VideoInfo((width, height), fps, duration, any(s[2] == "Audio" for s in streams), int(stream[1]))


class VideoReader:
    """Decodes the pictures of a video: iterates over `(time_s, image)`.

    `time_s` is the moment a picture is shown, counted from the start of the file, where its sound starts too; the
    steps are uneven where the recording's are. `image` is RGB uint8 (height, width, 3), upright, with square pixels,
    and belongs to the caller.
    """

    def __init__(self, path: Path | str, *, max_side: int | None = None) -> None:
        """Look at the file.

        Args:
            path: any video that ffmpeg reads.
            max_side: pictures with a longer side are made smaller while decoding.
        """
        self.path = Path(path)
        self.info = read_video_info(self.path)
        width, height = self.info.size
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
    def has_audio(self) -> bool:
        """Whether there is a sound track."""
        return self.info.has_audio

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End decoding early; nothing happens if it has ended."""
        process, self._process = self._process, None
        if process is not None:
            # The iterator's own end closes the pipes, one of which another thread is reading.
            process.kill()
            process.wait()

    def __iter__(self) -> Iterator[tuple[float, UInt8[np.ndarray, "height width 3"]]]:
        """Decode from the start."""
        self.close()
        width, height = self.size
        # showinfo writes each picture's time to stderr before the picture itself goes to stdout.
        command = [
            ffmpeg_program(), "-hide_banner", "-nostats", "-nostdin", "-i", f"file:{self.path}",
            "-map", f"0:{self.info.stream}", "-vf", f"scale={width}:{height},showinfo=checksum=0",
            "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._process = process
        assert process.stdout is not None and process.stderr is not None
        times: queue.Queue[float | None] = queue.Queue()
        tail: list[str] = []
        listener = threading.Thread(target=_listen, args=(process.stderr, times, tail), daemon=True)
        listener.start()
        try:
            count, time_s = 0, 0.0
            while True:
                image = np.empty((height, width, 3), np.uint8)
                if not _fill(process.stdout, image):
                    break
                stated = times.get()
                # A stream without times (raw H.264, say) runs at its stated rate.
                time_s = stated if stated is not None else (time_s + 1 / self.fps if count else 0.0)
                count += 1
                yield time_s, image
            code = process.wait()
            listener.join()
            if count == 0 or code != 0:
                reason = tail[-1] if tail else f"ffmpeg ended with code {code}"
                what = f"decoding broke off after {count} pictures" if count else "no picture can be decoded"
                raise FacetalkError(f"{self.path}: {what} ({reason})")
        finally:
            if self._process is process:
                self._process = None
            process.kill()
            process.stdout.close()
            listener.join()
            process.wait()


def video_frames(
    path: Path | str, count: int, fps: float, size: tuple[int, int]
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """For each moment of an even clock the picture of a video that is shown then; the last one stays."""
    with VideoReader(path, max_side=max(size)) as video:
        if not math.isclose(video.size[0] / video.size[1], size[0] / size[1], rel_tol=0.02):
            raise UsageError(
                f"{path} is {video.size[0]}x{video.size[1]}, the motion was fitted to a video of another shape"
            )
        pictures = iter(video)
        _, image = next(pictures)
        coming = next(pictures, None)
        for index in range(count):
            # Half a frame of slack keeps pictures in step when both clocks tick at the same rate.
            while coming is not None and coming[0] <= (index + 0.5) / fps:
                image, coming = coming[1], next(pictures, None)
            fits = image.shape[1::-1] == size
            yield image if fits else np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


_TIME = re.compile(r"\] n: *\d+ pts: *(-?\d+|NOPTS) ")
_TIME_BASE = re.compile(r"config in time_base: (\d+)/(\d+)")


def _listen(stderr: IO[bytes], times: queue.Queue[float | None], tail: list[str]) -> None:
    """Sort ffmpeg's messages: picture times, and the last lines that are something else."""
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


def _fill(stream: IO[bytes], image: np.ndarray) -> bool:
    """Read one whole picture; False at the end, also in the middle of a picture that broke off."""
    room = image.data.cast("B")
    done = 0
    while done < len(room):
        got = stream.readinto(room[done:])  # type: ignore[attr-defined]
        if not got:
            return False
        done += got
    return True


class VideoWriter:
    """Encodes pictures to an H.264 MP4 that plays everywhere, with sound in step.

    A context manager; the file appears under its name when the block ends, and not at all if an error leaves it.
    """

    def __init__(
        self,
        path: Path | str,
        size: tuple[int, int],
        fps: float,
        audio: Path | str | Float[Tensor, " samples"] | None = None,
        *,
        sample_rate: int = SAMPLE_RATE,
    ) -> None:
        """Describe the video; nothing is written yet.

        Args:
            path: `.mp4` file.
            size: width and height of the pictures; an odd side is written one pixel larger, as the format demands.
            fps: frames a second.
            audio: recording or video file whose sound is used, or mono samples in [-1, 1]. Sound beyond the last
                picture is cut.
            sample_rate: of the samples, Hz.
        """
        self.path = Path(path)
        self.size, self.fps = size, fps
        self.frame_count = 0
        self._audio, self._sample_rate = audio, sample_rate
        self._pictures: FfmpegRun | None = None
        self._sound: FfmpegRun | None = None
        self._stack = ExitStack()
        if min(size) < 1 or not fps > 0:
            raise ValueError(f"cannot write pictures of {size[0]}x{size[1]} at {fps} frames a second")

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(replacing(self.path))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="facetalk-")))
            # Sound is encoded at the same time; both are put together, without encoding again, once the number of
            # pictures says where the sound has to end.
            self._parts = folder / "pictures.mp4", folder / "sound.mp4"
            target = self._temporary if self._audio is None else self._parts[0]
            if self._audio is not None:
                self._sound = stack.enter_context(FfmpegRun(self.path, self._sound_arguments(folder)))
            self._pictures = stack.enter_context(FfmpegRun(self.path, [*self._picture_arguments(), f"file:{target}"]))
            self._stack = stack.pop_all()
        return self

    def write(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Append one RGB picture."""
        from facetalk.rendering.yuv import yuv420_planes

        width, height = self.size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(f"a {image.dtype} picture of shape {image.shape} in a video of {width}x{height}")
        assert self._pictures is not None
        if self._sound is not None:
            self._sound.check()
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        # Here this costs a quarter of what ffmpeg takes for it.
        self._pictures.feed(yuv420_planes(image))
        self.frame_count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            assert self._pictures is not None
            if self.frame_count == 0:
                raise ValueError(f"no pictures were written to {self.path}")
            self._pictures.finish()
            if self._sound is not None:
                self._sound.finish()
                pictures, sound = (str(part) for part in self._parts)
                join = ["-i", pictures, "-i", sound, "-map", "0:v", "-map", "1:a", "-c", "copy", "-t",
                        f"{self.frame_count / self.fps:.6f}", "-movflags", "+faststart", "-f", "mp4"]  # fmt: skip
                with FfmpegRun(self.path, [*join, f"file:{self._temporary}"]) as joining:
                    joining.finish()

    def _sound_arguments(self, folder: Path) -> list[str]:
        if isinstance(self._audio, Tensor):
            samples = folder / "samples.f32"
            samples.write_bytes(self._audio.detach().cpu().numpy().astype("<f4").tobytes())
            source = ["-f", "f32le", "-ar", str(self._sample_rate), "-ac", "1", "-i", str(samples)]
        else:
            if self._audio is None or not Path(self._audio).is_file():
                raise FacetalkError(f"no sound file at {self._audio}")
            source = ["-i", f"file:{self._audio}"]
        # Sound that starts late in its file keeps its place.
        return [*source, "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-c:a", "aac", "-b:a", "128k",
                "-f", "mp4", str(self._parts[1])]  # fmt: skip

    def _picture_arguments(self) -> list[str]:
        width, height = (side + side % 2 for side in self.size)
        rate = str(Fraction(self.fps).limit_denominator(1001))
        colors = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
        return ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", *colors, "-r", rate, "-i", "pipe:0",
                "-c:v", "libx264", "-preset", PRESET, "-crf", QUALITY, "-pix_fmt", "yuv420p", *colors,
                "-movflags", "+faststart", "-f", "mp4"]  # fmt: skip


def write_png(path: Path | str, image: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write one RGB picture."""
    with replacing(Path(path)) as temporary:
        Image.fromarray(image).save(temporary, "PNG")
