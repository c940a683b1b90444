"""Vertices to pixels: the rasterizer with and without anti-aliasing, and pyrender where it works."""

from __future__ import annotations

import sys
from functools import partial

import numpy as np

from benchmarks.base import Comparison, Options, in_turns
from benchmarks.head import moving
from facetalk.core.errors import MissingAssetError
from facetalk.motion.frames import Renderer, make_renderer, posed
from facetalk.motion.framing import framed
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head
from facetalk.rendering.renderer import CpuRenderer

SIZE = 512
"""Side of the image, pixels."""


def measure(options: Options) -> Comparison:
    """Compare the renderers on one thread."""
    head = load_head("facetalk")
    motion, camera = framed(moving(head, options.frames), head, SIZE)
    surface, vertices = head_surface(head.assets), list(posed(head, motion))
    renderers: dict[str, Renderer] = {
        "cpu": CpuRenderer(surface, camera),
        "cpu without anti-aliasing": CpuRenderer(surface, camera, antialias=False),
    }
    try:
        renderers["pyrender"] = make_renderer("pyrender", surface, camera)
    except (MissingAssetError, ImportError) as error:
        print(f"without pyrender: {error}", file=sys.stderr)
    spent = in_turns({name: partial(render, made, vertices) for name, made in renderers.items()}, options.repeats)
    return Comparison("frame", {name: 1000 * value / options.frames for name, value in spent.items()})


def render(renderer: Renderer, vertices: list[np.ndarray]) -> list[np.ndarray]:
    """All frames, one after the other."""
    return [renderer.render(mesh) for mesh in vertices]
