"""Pixels to a video file: with the colors converted here, and by ffmpeg."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.base import Comparison, Options, in_turns
from benchmarks.head import moving
from benchmarks.renderers import SIZE, render
from facetalk.core.timing import FPS
from facetalk.io.ffmpeg import Encoding
from facetalk.io.video_writer import VideoWriter, h264
from facetalk.motion.frames import make_renderer, posed
from facetalk.motion.framing import framed
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head


def measure(options: Options) -> Comparison:
    """Compare both on the same frames."""
    head = load_head("facetalk")
    motion, camera = framed(moving(head, options.frames), head, SIZE)
    images = render(make_renderer("cpu", head_surface(head.assets), camera), list(posed(head, motion)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        work = {"converted here": partial(write, path, images), "converted by ffmpeg": partial(pipe, path, images)}
        spent = in_turns(work, options.repeats)
    return Comparison("frame", {name: 1000 * value / options.frames for name, value in spent.items()})


def write(path: Path, images: list[np.ndarray]) -> None:
    """Write a video as facetalk does."""
    with VideoWriter(path, (SIZE, SIZE), FPS) as writer:
        for image in images:
            writer.write(image)


def pipe(path: Path, images: list[np.ndarray]) -> None:
    """Write a video from RGB frames."""
    arguments = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIZE}x{SIZE}", "-r", f"{FPS:g}", "-i", "pipe:0",
                 *h264(SIZE, SIZE), "-pix_fmt", "yuv420p", f"file:{path}"]  # fmt: skip
    with Encoding(path, arguments) as encoding:
        for image in images:
            encoding.feed(image)
        encoding.finish()
