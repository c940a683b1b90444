"""Motion -> mesh -> pixels -> video file."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.core.progress import Progress, silent
from facetalk.core.types import Motion
from facetalk.head.model import HeadModel
from facetalk.io.files import free_path
from facetalk.io.video import VideoWriter, video_frames
from facetalk.motion.appearance import head_surface
from facetalk.motion.frames import CAMERAS, _front, fitted_camera, make_renderer, matching_head, posed, rendered


def render(
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
    progress: Progress = silent,
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
        progress: called after every frame.
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
            progress("rendering", writer.frame_count, motion.num_frames)
    return out_path
