"""Video files out: H.264 MP4 with audio in step."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import UInt8

from facetalk.core.leftovers import temporary
from facetalk.core.threads import allowed_cores
from facetalk.core.timing import SAMPLE_RATE, exact_rate
from facetalk.io.encoded_audio import AudioSource, encoding_arguments
from facetalk.io.ffmpeg import Encoding
from facetalk.io.files import replacing
from facetalk.io.synthetic_media import Disclosure, append_xmp

_SPEED = ["-preset", "superfast", "-x264-params", "mbtree=1:rc-lookahead=10", "-crf", "17.5"]
"""Arguments of x264: visually lossless at 1.8 ms per frame of 512x512. It looks ahead like `veryfast`, which takes 2.9
ms; the files of `superfast` alone are more than twice as large."""
_SMALL_SPEED, _SMALL_PIXELS = ["-preset", "medium", "-crf", "14"], 400 * 400
"""The same for frames of at most so many pixels, in which a mouth is a few blocks: there the usual factor costs a
landmark detector 0.015 of the correlation of the lips' opening."""

_FEW_CORES = 2
"""With so few processors, which render at the same time, x264 gets one thread: more of them take a tenth more
processor time. The frames are as close to the original, and the file is as large."""

_AUDIO = ["-c:a", "aac", "-b:a", "128k"]
"""The `fast` coder would take less than half as long, but of a steady tone it leaves a twentieth as noise."""


def h264(width: int, height: int) -> list[str]:
    """Arguments that encode frames of a size, in pixels."""
    threads = ["-threads", "1"] if allowed_cores() <= _FEW_CORES else []
    return ["-c:v", "libx264", *threads, *(_SMALL_SPEED if width * height <= _SMALL_PIXELS else _SPEED)]


class VideoWriter:
    """Encodes frames to an H.264 MP4 that plays everywhere, with audio in step.

    A context manager; the file appears under its name when the block ends, and not at all after an error.
    """

    def __init__(
        self,
        path: Path | str,
        size: tuple[int, int],
        fps: float,
        audio: AudioSource | None = None,
        *,
        sample_rate: int = SAMPLE_RATE,
        disclosure: Disclosure | None = None,
    ) -> None:
        """Describe the video; nothing is written yet.

        Args:
            path: `.mp4` file.
            size: width and height of the frames; an odd side is written one pixel larger, as the format demands.
            fps: frames a second; 29.97 stands for 30000/1001.
            audio: audio or video file whose audio is used, or a part of it, or mono samples in [-1, 1]. Audio beyond
                the last frame is cut off.
            sample_rate: of the samples, Hz.
            disclosure: what the file states about how it was made.
        """
        self.path = Path(path)
        self.size, self.fps = size, fps
        self.frame_count = 0
        self._audio, self._sample_rate, self._disclosure = audio, sample_rate, disclosure
        self._video_encoding: Encoding | None = None
        self._audio_encoding: Encoding | None = None
        self._stack = ExitStack()
        if min(size) < 1 or not fps > 0:
            raise ValueError(f"cannot write frames of {size[0]}x{size[1]} at {fps} frames a second")

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(replacing(self.path))
            folder = stack.enter_context(temporary(Path(tempfile.mkdtemp(prefix="facetalk-"))))
            # Audio is encoded at the same time; both are joined, without encoding again, once the number of frames
            # says where the audio has to end.
            self._parts = folder / "video.mp4", folder / "audio.mp4"
            target = self._temporary if self._audio is None else self._parts[0]
            stated = self._stated() if self._audio is None else []
            if self._audio is not None:
                self._audio_encoding = stack.enter_context(Encoding(self.path, self._audio_arguments(folder)))
            arguments = [*self._video_arguments(), *stated, "-f", "mp4", f"file:{target}"]
            self._video_encoding = stack.enter_context(Encoding(self.path, arguments))
            self._stack = stack.pop_all()
        return self

    def write(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Append one RGB frame."""
        from facetalk.rendering.yuv import yuv420_planes

        width, height = self.size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(f"a {image.dtype} frame of shape {image.shape} in a video of {width}x{height}")
        assert self._video_encoding is not None
        if self._audio_encoding is not None:
            self._audio_encoding.check()
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        # Converting here takes a quarter of the time that ffmpeg needs for it.
        self._video_encoding.feed(yuv420_planes(image))
        self.frame_count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            assert self._video_encoding is not None
            if self.frame_count == 0:
                raise ValueError(f"no frames were written to {self.path}")
            self._video_encoding.finish()
            if self._audio_encoding is not None:
                self._audio_encoding.finish()
                self._join()
            if self._disclosure is not None:
                append_xmp(self._temporary, self._disclosure.xmp)

    def _join(self) -> None:
        """Copy both encoded streams into the file, which ends with the last frame."""
        video, audio = (str(part) for part in self._parts)
        duration = f"{float(self.frame_count / exact_rate(self.fps)):.6f}"
        arguments = ["-i", video, "-i", audio, "-map", "0:v", "-map", "1:a", "-c", "copy", "-t", duration,
                     "-movflags", "+faststart", *self._stated(), "-f", "mp4", f"file:{self._temporary}"]  # fmt: skip
        with Encoding(self.path, arguments) as joining:
            joining.finish()

    def _stated(self) -> list[str]:
        """Arguments that write the tags."""
        tags = {} if self._disclosure is None else self._disclosure.tags
        return [part for name, value in tags.items() for part in ("-metadata", f"{name}={value}")]

    def _audio_arguments(self, folder: Path) -> list[str]:
        assert self._audio is not None
        encoded = [*_AUDIO, "-f", "mp4", f"file:{self._parts[1]}"]
        return encoding_arguments(self._audio, encoded, folder, self._sample_rate)

    def _video_arguments(self) -> list[str]:
        width, height = (side + side % 2 for side in self.size)
        rate = str(exact_rate(self.fps))
        colors = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
        return ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}", *colors, "-r", rate, "-i", "pipe:0",
                *h264(width, height), "-pix_fmt", "yuv420p", *colors,
                "-movflags", "+faststart"]  # fmt: skip
