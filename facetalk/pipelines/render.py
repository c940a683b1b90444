"""Motion -> mesh -> pixels -> video file."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.types import Camera, Motion
from facetalk.head.model import HeadModel
from facetalk.io.video import VideoReader, VideoWriter
from facetalk.models.appearance import head_surface
from facetalk.models.registry import load_head
from facetalk.render.camera import front_camera
from facetalk.render.surface import Surface

BACKENDS = ("cpu", "pyrender")
CAMERAS = ("front", "tracked")

BLOCK = 32
"""Frames that are posed together: enough for full speed, few enough that memory does not grow with the clip."""

Progress = Callable[[int, int], None]
"""Called with the number of finished frames and of all frames."""


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


def render_motion(
    motion: Motion,
    out_path: Path | str,
    *,
    head: HeadModel | None = None,
    backend: str = "cpu",
    camera: str = "front",
    size: int = 512,
    fps: float | None = None,
    audio: Path | str | Float[Tensor, " samples"] | None = None,
    over: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write a video of a motion and return its path.

    Args:
        motion: for any head; it is retargeted where that is another one.
        out_path: `.mp4` file.
        head: the head to pose; the one that the motion names, if not given.
        backend: `cpu`, or `pyrender` where OpenGL is installed.
        camera: `front` looks at the head's usual place from in front; `tracked` reproduces the camera, picture size
            and frame rate of the video that the motion was fitted to.
        size: side of the front camera's square picture, pixels.
        fps: frames a second; the motion's own in front, the fitted video's for the tracked camera.
        audio: recording or video whose sound goes with the pictures, or mono samples at 16 kHz.
        over: video that lies behind the head instead of a plain wall; needs the tracked camera.
        overwrite: replace an existing file.
        progress: see `Progress`.
    """
    out_path = free_path(out_path, overwrite)
    if over is not None and camera != "tracked":
        raise UsageError("a video can lie under the head only with the tracked camera (--camera tracked)")
    motion, head = matching_head(motion, head)
    if camera == "tracked":
        view, fps = fitted_camera(motion), fps or motion.source_fps or motion.fps
    elif camera == "front":
        view, fps = _front(motion, head, size), fps or motion.fps
    else:
        raise UsageError(f"unknown camera {camera!r}; there are: {', '.join(CAMERAS)}")
    motion = motion.to_fps(fps)
    renderer = make_renderer(backend, head_surface(head.assets), view)
    backdrops = None if over is None else video_frames(over, motion.num_frames, fps, view.image_size)
    with VideoWriter(out_path, view.image_size, fps, audio) as writer:
        for image in rendered(renderer, posed(head, motion), backdrops):
            writer.write(image)
            if progress is not None:
                progress(writer.frame_count, motion.num_frames)
    return out_path


def make_renderer(backend: str, surface: Surface, camera: Camera) -> Renderer:
    """A renderer of one surface from one camera."""
    if backend == "cpu":
        from facetalk.render.renderer import CpuRenderer

        return CpuRenderer(surface, camera)
    if backend == "pyrender":
        from facetalk.render.pyrender_backend import PyrenderRenderer

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


def free_path(path: Path | str, overwrite: bool) -> Path:
    """The path, if nothing is lost by writing to it."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise FacetalkError(f"{path} exists already; give another name or --overwrite")
    return path


def matching_head(motion: Motion, head: HeadModel | None) -> tuple[Motion, HeadModel]:
    """The head to pose and the motion in its own coefficients."""
    head = load_head(motion.head) if head is None else head
    if motion.head != head.name or motion.expression_names != head.assets.expression_names:
        from facetalk.pipelines.retarget import retarget  # only a motion of another head needs it

        motion = retarget(motion, head)
    return motion, head


def fitted_camera(motion: Motion) -> Camera:
    """The camera of the video that a motion was fitted to."""
    if motion.camera is None:
        raise UsageError("this motion was not fitted to a video, so it has no tracked camera; use --camera front")
    return motion.camera


def _front(motion: Motion, head: HeadModel, size: int) -> Camera:
    """A fixed camera before the place where the head usually is, turned as it usually is."""
    every = motion.cut(0, motion.num_frames)
    some = torch.linspace(0, motion.num_frames - 1, min(BLOCK, motion.num_frames)).round().long()
    with torch.inference_mode():
        still = every.expression.new_zeros(len(some), every.expression.shape[1])
        usual = head(still, every.poses[some], every.transl[some], every.betas).median(0).values
    regions = head.assets.regions
    members = torch.zeros(len(usual), dtype=torch.bool)
    members[regions["skin"]] = True
    members[regions["neck"]] = False
    return front_camera(usual[members] if members.any() else usual, (size, size))


def video_frames(
    path: Path | str, count: int, fps: float, size: tuple[int, int]
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """For each moment of an even clock the picture of a video that is shown then; the last one stays."""
    with VideoReader(path, max_side=max(size)) as video:
        if not math.isclose(video.size[0] / video.size[1], size[0] / size[1], rel_tol=0.02):
            raise UsageError(
                f"{path} is {video.size[0]}x{video.size[1]}, the motion was fitted to a video of another shape"
            )
        pictures = iter(video)
        _, image = next(pictures)
        coming = next(pictures, None)
        for index in range(count):
            # Half a frame of slack keeps pictures in step when both clocks tick at the same rate.
            while coming is not None and coming[0] <= (index + 0.5) / fps:
                image, coming = coming[1], next(pictures, None)
            fits = image.shape[1::-1] == size
            yield image if fits else np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
