"""A lively little performance for the toy head."""

from __future__ import annotations

from typing import Any

import torch

from facetalk.core.events import Event
from facetalk.core.motion import POSES, Motion
from facetalk.head.assets import HeadAssets


def lively_motion(assets: HeadAssets, num_frames: int = 9, fps: float = 30, seed: int = 2) -> Motion:
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    poses: dict[str, Any] = {name: 0.4 * noise(num_frames, 3) for name in POSES}
    return Motion(
        head=assets.name,
        fps=fps,
        expression=torch.rand(num_frames, len(assets.shape.expression_names), generator=generator),
        expression_names=assets.shape.expression_names,
        transl=0.1 * noise(num_frames, 3),
        betas=noise(len(assets.shape.identity_names)),
        **poses,
    )


def eventful(motion: Motion) -> Motion:
    """The motion while somebody says "pa" and blinks."""
    end = motion.duration_s
    return motion.with_events(
        [
            Event("phrase", 0, end),
            Event("word", 0, end, "pa"),
            Event("phoneme", 0, end / 2, "P"),
            Event("phoneme", end / 2, end, "AA"),
            Event("blink", end / 4, end / 2, strength=0.75),
        ]
    )
