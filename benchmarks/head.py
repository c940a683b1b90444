"""Motion to vertices: the bundled head, posed in blocks of several sizes."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.base import Comparison, Options, in_turns
from facetalk.core.motion import Motion, still_motion
from facetalk.core.timing import FPS
from facetalk.head.model import HeadModel
from facetalk.motion.frames import BLOCK
from facetalk.motion.heads import load_head


def measure(options: Options) -> Comparison:
    """Compare blocks of the size in use with single frames and with the whole clip."""
    head = load_head("facetalk")
    motion = moving(head, options.frames)
    sizes = {"blocks as in use": BLOCK, "single frames": 1, "the whole clip": options.frames}
    spent = in_turns({name: partial(pose, head, motion, size) for name, size in sizes.items()}, options.repeats)
    return Comparison("frame", {name: 1000 * value / options.frames for name, value in spent.items()})


def moving(head: HeadModel, num_frames: int) -> Motion:
    """A motion in which all channels of the head move."""
    generator = torch.Generator().manual_seed(0)
    names = head.shape.expression_names
    expression = torch.rand(num_frames, len(names), generator=generator) * 0.3
    return still_motion(head.name, expression, names, FPS, head.num_betas)


def pose(head: HeadModel, motion: Motion, size: int) -> list[Tensor]:
    """Vertices of all frames, in blocks of this size."""
    with torch.inference_mode():
        return [head(part.expression, part.poses, part.transl, part.betas) for _, part in motion.blocks(size)]
