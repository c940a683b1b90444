"""Video (`.mp4`): the head rendered frame by frame, with audio."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULT_SIZE, DEFAULTS, ExportOptions, check_same_head
from facetalk.head.model import HeadModel
from facetalk.io.video import video_frames
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.frame_rate import at_frame_rate
from facetalk.motion.frames import fitted_camera, make_renderer, posed, rendered
from facetalk.motion.framing import framed
from facetalk.motion.head_surface import head_surface
from facetalk.motion.overlay import overlay_renderer


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write a video, see `Exporter`.

    The front camera follows a head that would leave the image. With the tracked camera, image size and frame rate are
    those of the video that the motion was fitted to.
    """
    check_same_head(motion, head)
    if options.camera == "tracked":
        view, fps = fitted_camera(motion), options.fps or motion.source_fps or motion.fps
    else:
        (motion, view), fps = framed(motion, head, options.size or DEFAULT_SIZE), options.fps or motion.fps
    motion = at_frame_rate(motion, fps)
    fps = motion.fps
    if options.over is None:
        renderer, backgrounds = make_renderer(options.backend, head_surface(head.assets), view), None
    else:
        renderer = overlay_renderer(options.backend, head, motion, view, options.over)
        backgrounds = video_frames(options.over, motion.num_frames, fps, view.image_size, turn=motion.source_turn)
    with VideoWriter(path, view.image_size, fps, options.audio) as writer:
        for image in rendered(renderer, posed(head, motion), backgrounds):
            writer.write(image)
            progress("rendering", writer.frame_count, motion.num_frames)
