"""Video (`.mp4`) of the user's own character, rendered frame by frame, with audio."""

from __future__ import annotations

from pathlib import Path

import torch

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.exporters.base import DEFAULT_SIZE, DEFAULTS, ExportOptions, in_arkit_channels
from facetalk.head.model import HeadModel
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.avatar import read_avatar
from facetalk.motion.avatar_mesh import avatar_mesh
from facetalk.motion.avatar_surface import avatar_surface
from facetalk.motion.frames import make_renderer, rendered
from facetalk.rendering.camera import front_camera


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write a video of the character of `options.avatar`, see `Exporter`.

    Args:
        path: `.mp4` file.
        motion: for any head.
        head: not shown: the character has its own.
        options: names the character.
        progress: called after every frame.

    Raises:
        CompressedError: the character's geometry is compressed, so that only its `.glb` can be written.
    """
    assert options.avatar is not None
    mesh = avatar_mesh(read_avatar(options.avatar))
    surface, rows = avatar_surface(mesh)
    size = options.size or DEFAULT_SIZE
    camera = front_camera(torch.from_numpy(mesh.at_rest()[mesh.head_vertices()]), (size, size))
    motion = in_arkit_channels(motion, head, options)
    renderer = make_renderer(options.backend, surface, camera)
    with VideoWriter(path, camera.image_size, motion.fps, options.audio) as writer:
        for image in rendered(renderer, (vertices[rows] for vertices in mesh.posed(motion))):
            writer.write(image)
            progress("rendering", writer.frame_count, motion.num_frames)
