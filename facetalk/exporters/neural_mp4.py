"""Video (`.mp4`) of a real person, drawn by a neural renderer, with audio; marked as synthetic."""

from __future__ import annotations

from pathlib import Path

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULTS, ExportOptions
from facetalk.head.model import HeadModel
from facetalk.io.synthetic_media import synthetic
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.frame_rate import at_frame_rate
from facetalk.neural_rendering.registry import load_neural_renderer


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write a video of a person, see `Exporter`.

    Args:
        path: `.mp4` file.
        motion: for any head.
        head: not shown.
        options: name the person.
        progress: called after every frame.

    Raises:
        FacetalkError: the person cannot be loaded, or the motion does not fit.
    """
    assert options.neural is not None
    renderer = load_neural_renderer(options.neural, getattr(options, options.neural))
    usual = motion.source_fps if options.camera == "tracked" else 0.0
    motion = at_frame_rate(motion, options.fps or usual or motion.fps)
    stated = synthetic(f"this person did not do or say this; drawn by a neural renderer (--{options.neural})")
    with VideoWriter(path, renderer.image_size, motion.fps, options.audio, disclosure=stated) as writer:
        for image in renderer.frames(motion, options.camera):
            writer.write(image)
            progress("rendering", writer.frame_count, motion.num_frames)
