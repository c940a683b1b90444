"""Posing a head frame by frame and rendering it, in order and by several threads."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8

from facetalk.core.camera import Camera
from facetalk.core.errors import InvalidValueError, UsageError
from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.motion.heads import load_head
from facetalk.rendering.camera import resized_camera
from facetalk.rendering.surface import Surface

BACKENDS = ("cpu", "pyrender")
CAMERAS = ("front", "tracked")

MAX_TRACKED_SIDE = 4096
"""Longest side of frames that are rendered, pixels. The memory for 8K would be four gigabytes."""

_log = logging.getLogger(__name__)

BLOCK = 32
"""Frames that are posed together: enough for full speed, few enough that memory does not grow with the clip."""


@runtime_checkable
class Renderer(Protocol):
    """Interface of the rendering backends."""

    threads: int
    """How many frames may be rendered at the same time; 1 means only in the thread that made the renderer."""

    def prepare(self, vertices: Float[np.ndarray, "vertices 3"]) -> None:
        """Set up from a typical frame, before the first one is rendered."""
        ...

    def render(
        self, vertices: Float[np.ndarray, "vertices 3"], background: UInt8[np.ndarray, "height width 3"] | None = None
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Render one sRGB image of the mesh in front of a background."""
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
    """Vertices of each frame, meters; the next block is posed while the current one is used."""

    def pose(part: Motion) -> np.ndarray:
        with torch.inference_mode():
            return head(part.expression, part.poses, part.transl, part.betas).numpy()

    blocks = (part for _, part in motion.blocks(BLOCK))
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(pose, next(blocks))
        for part in blocks:
            block, coming = coming.result(), pool.submit(pose, part)
            yield from block
        yield from coming.result()


def rendered(
    renderer: Renderer,
    vertices: Iterable[Float[np.ndarray, "vertices 3"]],
    backgrounds: Iterable[UInt8[np.ndarray, "height width 3"]] | None = None,
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Frames in order, rendered by several threads a few frames ahead of the consumer."""
    work = ((mesh, None) for mesh in vertices) if backgrounds is None else zip(vertices, backgrounds, strict=True)
    if renderer.threads == 1:
        for mesh, background in work:
            yield renderer.render(mesh, background)
        return
    with ThreadPoolExecutor(renderer.threads) as pool:
        ahead: deque[Future[np.ndarray]] = deque()
        try:
            for index, (mesh, background) in enumerate(work):
                if index == 0:
                    renderer.prepare(mesh)
                ahead.append(pool.submit(renderer.render, mesh, background))
                if len(ahead) > 3 * renderer.threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def matching_head(motion: Motion, head: HeadModel | None) -> tuple[Motion, HeadModel]:
    """The motion in the head's own coefficients, and the head; the motion's own head if none is given."""
    head = load_head(motion.head) if head is None else head
    if motion.head != head.name or motion.expression_names != head.shape.expression_names:
        from facetalk.motion.retarget import retarget  # only motions of other heads need it

        motion = retarget(motion, head)
    check_identity(motion, head)
    return motion, head


def check_identity(motion: Motion, head: HeadModel) -> None:
    """Refuse a motion with more identity coefficients than its head has; missing ones are zero."""
    if len(motion.betas) > head.num_betas:
        raise InvalidValueError(
            f"the motion has {len(motion.betas)} betas; the head {head.name!r} has {head.num_betas}"
        )


def fitted_camera(motion: Motion) -> Camera:
    """The camera of the video that a motion was fitted to; frames beyond 4K are made smaller, and reported."""
    if motion.camera is None:
        raise UsageError("this motion was not fitted to a video, so it has no tracked camera; use --camera front")
    width, height = motion.camera.image_size
    shrink = MAX_TRACKED_SIDE / max(width, height)
    if shrink >= 1:
        return motion.camera
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    _log.warning("the video has %d x %d pixels; it is rendered with %d x %d", width, height, *size)
    return resized_camera(motion.camera, size)
