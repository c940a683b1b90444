"""Posing a head frame by frame and rendering it, in order and by several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8

from facetalk.core.camera import Camera
from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head
from facetalk.rendering.camera import front_camera
from facetalk.rendering.surface import Surface

BACKENDS = ("cpu", "pyrender")


CAMERAS = ("front", "tracked")


BLOCK = 32
"""Frames that are posed together: enough for full speed, few enough that memory does not grow with the clip."""


@runtime_checkable
class Renderer(Protocol):
    """What a back end offers."""

    threads: int
    """How many frames may be rendered at the same time; 1: in the thread that made the renderer."""

    def prepare(self, vertices: Float[np.ndarray, "vertices 3"]) -> None:
        """Look at a typical frame before the first one."""
        ...

    def render(
        self, vertices: Float[np.ndarray, "vertices 3"], background: UInt8[np.ndarray, "height width 3"] | None = None
    ) -> UInt8[np.ndarray, "height width 3"]:
        """One sRGB picture of the mesh in front of a background."""
        ...


def make_renderer(backend: str, surface: Surface, camera: Camera) -> Renderer:
    """A renderer of one surface from one camera."""
    if backend == "cpu":
        from facetalk.rendering.renderer import CpuRenderer

        return CpuRenderer(surface, camera)
    if backend == "pyrender":
        from facetalk.rendering.pyrender_backend import PyrenderRenderer

        return PyrenderRenderer(surface, camera)
    raise UsageError(f"unknown backend {backend!r}; there are: {', '.join(BACKENDS)}")


def posed(head: HeadModel, motion: Motion) -> Iterator[Float[np.ndarray, "vertices 3"]]:
    """Vertices of each frame; the next block is posed while the last one is used."""

    def pose(start: int) -> np.ndarray:
        with torch.inference_mode():
            part = motion.cut(start, start + BLOCK)
            return head(part.expression, part.poses, part.transl, part.betas).numpy()

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(pose, 0)
        for start in range(0, motion.num_frames, BLOCK):
            block = coming.result()
            if start + BLOCK < motion.num_frames:
                coming = pool.submit(pose, start + BLOCK)
            yield from block


def rendered(
    renderer: Renderer,
    vertices: Iterable[Float[np.ndarray, "vertices 3"]],
    backdrops: Iterable[UInt8[np.ndarray, "height width 3"]] | None = None,
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Pictures in order, rendered by several threads a few frames ahead of whoever takes them."""
    work = ((one, None) for one in vertices) if backdrops is None else zip(vertices, backdrops, strict=True)
    if renderer.threads == 1:
        for one, backdrop in work:
            yield renderer.render(one, backdrop)
        return
    with ThreadPoolExecutor(renderer.threads) as pool:
        ahead: deque[Future[np.ndarray]] = deque()
        try:
            for index, (one, backdrop) in enumerate(work):
                if index == 0:
                    renderer.prepare(one)
                ahead.append(pool.submit(renderer.render, one, backdrop))
                if len(ahead) > 3 * renderer.threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def matching_head(motion: Motion, head: HeadModel | None) -> tuple[Motion, HeadModel]:
    """The head to pose and the motion in its own coefficients."""
    head = load_head(motion.head) if head is None else head
    if motion.head != head.name or motion.expression_names != head.shape.expression_names:
        from facetalk.motion.retarget import retarget  # only a motion of another head needs it

        motion = retarget(motion, head)
    return motion, head


def fitted_camera(motion: Motion) -> Camera:
    """The camera of the video that a motion was fitted to."""
    if motion.camera is None:
        raise UsageError("this motion was not fitted to a video, so it has no tracked camera; use --camera front")
    return motion.camera


def front_view(motion: Motion, head: HeadModel, size: int) -> Camera:
    """A fixed camera before the place where the head usually is, turned as it usually is."""
    every = motion.cut(0, motion.num_frames)
    some = torch.linspace(0, motion.num_frames - 1, min(BLOCK, motion.num_frames)).round().long()
    with torch.inference_mode():
        still = every.expression.new_zeros(len(some), every.expression.shape[1])
        usual = head(still, every.poses[some], every.transl[some], every.betas).median(0).values
    regions = head.points.regions
    members = torch.zeros(len(usual), dtype=torch.bool)
    members[regions["skin"]] = True
    members[regions["neck"]] = False
    return front_camera(usual[members] if members.any() else usual, (size, size))
