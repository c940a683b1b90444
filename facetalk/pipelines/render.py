"""Motion -> mesh -> pixels -> video file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.types import Motion
from facetalk.head.model import HeadModel
from facetalk.io.video import VideoReader, VideoWriter
from facetalk.motion.appearance import head_surface
from facetalk.motion.frames import CAMERAS, _front, fitted_camera, make_renderer, matching_head, posed, rendered

Progress = Callable[[int, int], None]
"""Called with the number of finished frames and of all frames."""


def render_motion(
    motion: Motion,
    out_path: Path | str,
    *,
    head: HeadModel | None = None,
    backend: str = "cpu",
    camera: str = "front",
    size: int = 512,
    fps: float | None = None,
    audio: Path | str | Float[Tensor, " samples"] | None = None,
    over: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write a video of a motion and return its path.

    Args:
        motion: for any head; it is retargeted where that is another one.
        out_path: `.mp4` file.
        head: the head to pose; the one that the motion names, if not given.
        backend: `cpu`, or `pyrender` where OpenGL is installed.
        camera: `front` looks at the head's usual place from in front; `tracked` reproduces the camera, picture size
            and frame rate of the video that the motion was fitted to.
        size: side of the front camera's square picture, pixels.
        fps: frames a second; the motion's own in front, the fitted video's for the tracked camera.
        audio: recording or video whose sound goes with the pictures, or mono samples at 16 kHz.
        over: video that lies behind the head instead of a plain wall; needs the tracked camera.
        overwrite: replace an existing file.
        progress: see `Progress`.
    """
    out_path = free_path(out_path, overwrite)
    if over is not None and camera != "tracked":
        raise UsageError("a video can lie under the head only with the tracked camera (--camera tracked)")
    motion, head = matching_head(motion, head)
    if camera == "tracked":
        view, fps = fitted_camera(motion), fps or motion.source_fps or motion.fps
    elif camera == "front":
        view, fps = _front(motion, head, size), fps or motion.fps
    else:
        raise UsageError(f"unknown camera {camera!r}; there are: {', '.join(CAMERAS)}")
    motion = motion.to_fps(fps)
    renderer = make_renderer(backend, head_surface(head.assets), view)
    backdrops = None if over is None else video_frames(over, motion.num_frames, fps, view.image_size)
    with VideoWriter(out_path, view.image_size, fps, audio) as writer:
        for image in rendered(renderer, posed(head, motion), backdrops):
            writer.write(image)
            if progress is not None:
                progress(writer.frame_count, motion.num_frames)
    return out_path


def free_path(path: Path | str, overwrite: bool) -> Path:
    """The path, if nothing is lost by writing to it."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise FacetalkError(f"{path} exists already; give another name or --overwrite")
    return path


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
