"""A person to learn: the bundled head, rendered in front of a wall as a video would show it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.io.video_writer import VideoWriter
from facetalk.io.weights import write_model
from facetalk.motion.frames import posed
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head
from facetalk.networks.render2video import PersonGenerator, Render2VideoConfig
from facetalk.neural_rendering.appearance import collect
from facetalk.neural_rendering.footage import Footage, scene_of
from facetalk.neural_rendering.person_file import write_person
from facetalk.rendering.camera import resized_camera
from facetalk.rendering.renderer import CpuRenderer

FPS = 25.0
VIDEO = (96, 80)
"""Width and height of the video."""
TINY = Render2VideoConfig(size=32, widths=(8, 8, 8), num_blocks=1, num_keyframes=2)


@cache
def head() -> HeadModel:
    return load_head()


def person_motion(num_frames: int, seed: int = 0, video: str = "abc", restless: float = 1.0) -> Motion:
    """Someone who talks, turns and blinks, as if fitted to a video.

    Args:
        num_frames: at `FPS`.
        seed: of another stretch of the same talk.
        video: fingerprint of the video.
        restless: how far the head turns and moves, 1 for a quiet talk.
    """
    phase = torch.linspace(0, num_frames / 4, num_frames) + seed
    curves = torch.zeros(num_frames, 52)
    for name, values in {
        "jawOpen": 0.2 + 0.2 * phase.sin(),
        "mouthPucker": 0.15 + 0.15 * (1.7 * phase).sin(),
        "eyeBlinkLeft": (phase.cos() > 0.9).float(),
        "eyeBlinkRight": (phase.cos() > 0.9).float(),
    }.items():
        curves[:, ARKIT_NAMES.index(name)] = values
    motion = still_motion("facetalk", curves, ARKIT_NAMES, FPS, head().num_betas)
    turns = 0.12 * restless * torch.stack([0.5 * (0.3 * phase).sin(), (0.4 * phase).cos(), 0 * phase], 1)
    swaying = 0.02 * (restless - 1) * torch.stack([(0.9 * phase).sin(), (1.3 * phase).cos(), 0 * phase], 1)
    place = torch.tensor([0.01, 0.02, -0.8]) + 0.05 * turns + swaying
    K = torch.tensor([[150.0, 0, 48], [0, 150.0, 40], [0, 0, 1]])
    return motion.replace(
        global_orient=turns + torch.tensor([0.1, 0, 0]), transl=place, camera=Camera(K, VIDEO), source_fps=FPS,
        confidence=torch.ones(num_frames), meta={"video_fingerprint": video},
    )  # fmt: skip


def wall(size: tuple[int, int]) -> np.ndarray:
    """A wall with stripes, so that a background that moves is seen."""
    width, height = size
    stripes = (np.arange(width) * 8 // width % 2 * 80 + 60).astype(np.uint8)
    return np.repeat(np.repeat(stripes[None, :, None], height, 0), 3, 2)


def footage(num_frames: int = 24, size: int = 32, seed: int = 0) -> Footage:
    """Square frames of the person."""
    motion = person_motion(num_frames, seed)
    scene = scene_of(motion, head(), size)
    renderer = CpuRenderer(head_surface(head().assets), scene.camera, background=wall((size, size)))
    frames = np.stack([renderer.render(vertices) for vertices in posed(head(), motion)])
    return Footage(motion, torch.from_numpy(frames), torch.ones(num_frames, dtype=torch.bool), scene)


def write_video(path: Path, motion: Motion, scale: int = 1) -> None:
    """The video that a motion was fitted to."""
    assert motion.camera is not None
    size = VIDEO[0] * scale, VIDEO[1] * scale
    renderer = CpuRenderer(head_surface(head().assets), resized_camera(motion.camera, size), background=wall(size))
    with VideoWriter(path, size, motion.fps) as writer:
        for vertices in posed(head(), motion):
            writer.write(renderer.render(vertices))


def write_run(folder: Path, config: Render2VideoConfig = TINY, video_size: tuple[int, int] = VIDEO) -> Path:
    """A folder as `facetalk train render2video` writes it, of a network that has learned nothing.

    Args:
        folder: is made.
        config: sizes of the network.
        video_size: pretended width and height of the video.
    """
    from facetalk.core.config import plain

    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    person = collect([footage(size=config.size)], head(), config.num_keyframes)
    write_person(folder, replace(person, scenes=(replace(person.scenes[0], video_size=video_size),)))
    write_model(folder, PersonGenerator(config), "person", "render2video", {"network": plain(config)})
    return folder


def elsewhere(motion: Motion, video: str) -> Motion:
    """The same motion, fitted to another video."""
    return replace(motion, meta={**motion.meta, "video_fingerprint": video})
