"""Two short videos of the bundled head, fitted, for the recipe of portraits."""

from __future__ import annotations

from pathlib import Path

import torch

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion
from facetalk.data.manifest import COLUMNS, MANIFEST, write_rows
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.motion import write_motion
from facetalk.io.video_writer import VideoWriter
from facetalk.motion.head_surface import head_surface
from facetalk.rendering.renderer import CpuRenderer
from tests.motion.portrait.scenes import IMAGE_SIZE, K, person, shared


def speaking(num_frames: int = 24) -> Motion:
    motion = person(num_frames)
    phase = torch.linspace(0, 12, num_frames)
    motion.expression[:, ARKIT_NAMES.index("jawOpen")] = 0.3 + 0.3 * phase.sin()
    motion.expression[:, ARKIT_NAMES.index("eyeBlinkLeft")] = (phase > 10).float()
    turn = 0.1 * torch.stack([phase.cos(), phase.sin(), 0 * phase], 1)
    return motion.replace(global_orient=turn, confidence=torch.ones(num_frames))


def write_portraits(folder: Path) -> None:
    """A dataset of two clips by two speakers, a and b."""
    head, rows = shared().model, []
    renderer = CpuRenderer(head_surface(head.assets), Camera(K, IMAGE_SIZE))
    for name in ("a", "b"):
        motion = speaking()
        vertices = head(motion.expression, motion.poses, motion.transl, motion.betas).numpy()
        with VideoWriter(folder / f"{name}.mp4", IMAGE_SIZE, motion.fps) as writer:
            for mesh in vertices:
                writer.write(renderer.render(mesh))
        write_motion(folder / f"{name}.npz", motion)
        rows.append({"name": name, "speaker": name, "source": str(folder / f"{name}.mp4"), "duration_s": 0.8})
    write_rows(folder / MANIFEST, COLUMNS, rows)
