"""Videos of a person as a neural renderer learns from them: square frames around the head, and the fitted motion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.io.video import Region, VideoReader
from facetalk.motion.frame_rate import at_frame_rate
from facetalk.neural_rendering.drawn_head import head_faces
from facetalk.rendering.camera import project

ROOM = 2.0
"""Side of the square around the head, in units of the height of the head: shoulders and some background."""
_SAMPLES = 64
"""Frames in which the head is looked for."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The part of a video that frames show, and its background."""

    camera: Camera
    """Of the square frames."""
    box: Region
    """The part of the video, pixels of the video."""
    video_size: tuple[int, int]
    fingerprint: str
    """Of the video, as its motion states it."""
    plate: UInt8[Tensor, "size size 3"]
    """What is behind the head, as far as it is ever seen."""

    def of(self, camera: Camera) -> Float[Tensor, "3 3"]:
        """Intrinsics of another fit of the same video, for the square frames."""
        return cropped_intrinsics(camera, self.box, self.camera.image_size[0])


@dataclass(frozen=True, eq=False)
class Footage:
    """A video with its fit, frame by frame at the rate of the video."""

    motion: Motion
    frames: UInt8[Tensor, "frames size size 3"]
    trusted: Bool[Tensor, " frames"]
    """Frames whose fit is good enough to learn from."""
    scene: Scene

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def cut(self, start: int, stop: int) -> Footage:
        """Some of the frames."""
        part = slice(start, stop)
        return Footage(self.motion.cut(start, stop), self.frames[part], self.trusted[part], self.scene)


def video_motion(motion: Motion, max_seconds: float = math.inf) -> Motion:
    """The fitted motion at the frame rate of its video.

    Raises:
        FacetalkError: the motion was not fitted to a video.
    """
    if motion.camera is None:
        raise FacetalkError("this motion was not fitted to a video, so it has no camera; facetalk fit makes one")
    motion = at_frame_rate(motion.replace(events=()), motion.source_fps or motion.fps)
    return motion.cut(0, min(motion.num_frames, round(min(max_seconds, 1e6) * motion.fps)))


def view_box(motion: Motion, head: HeadModel) -> Region:
    """The square of the video around the head, as large as the video allows."""
    assert motion.camera is not None
    width, height = motion.camera.image_size
    rows = np.unique(np.linspace(0, motion.num_frames - 1, _SAMPLES).round().astype(int)).tolist()
    some = motion.pick(rows)
    seen = head_faces(head.assets).unique()
    with torch.inference_mode():
        vertices = head(some.expression, some.poses, some.transl, some.betas)[:, seen]
        points = project(vertices, motion.camera)
    if not bool(torch.isfinite(points).all()):
        raise FacetalkError("the fitted head is not in front of its camera; fit the video again")
    low, high = points.amin(1).median(0).values, points.amax(1).median(0).values
    side = min(width, height, round(ROOM * float(high[1] - low[1])))
    center = (low + high) / 2
    # The head stands in the upper half: below it are the shoulders.
    left = round(float(center[0]) - side / 2)
    top = round(float(center[1]) - 0.45 * side)
    return Region(min(max(left, 0), width - side), min(max(top, 0), height - side), side, side)


def cropped_intrinsics(camera: Camera, box: Region, size: int) -> Float[Tensor, "3 3"]:
    """Intrinsics of a square part of a camera's image."""
    K = camera.K.clone()
    K[0, 2] -= box.left
    K[1, 2] -= box.top
    scale = size / box.width
    return K * K.new_tensor([[scale], [scale], [1.0]])


def scene_of(motion: Motion, head: HeadModel, size: int) -> Scene:
    """The scene of a fitted video, its plate still gray."""
    assert motion.camera is not None
    box = view_box(motion, head)
    camera = Camera(cropped_intrinsics(motion.camera, box, size), (size, size))
    plate = torch.full((size, size, 3), 128, dtype=torch.uint8)
    return Scene(camera, box, motion.camera.image_size, str(motion.meta.get("video_fingerprint", "")), plate)


def scene_frames(
    path: Path | str, scene: Scene, count: int, fps: float, turn: int = 0
) -> Iterator[UInt8[np.ndarray, "size size 3"]]:
    """Square frames of a video at an even rate, as `io.video.video_frames` has them.

    Raises:
        FacetalkError: the video is not the one that the scene belongs to.
    """
    size = scene.camera.image_size[0]
    with VideoReader(path, turn=turn, region=scene.box, max_side=size) as video:
        if video.info.size != scene.video_size:
            raise FacetalkError(
                "{} has {}x{} pixels; it was fitted with {}x{}".format(path, *video.info.size, *scene.video_size)
            )
        decoded = iter(video)
        _, image = next(decoded)
        coming = next(decoded, None)
        for index in range(count):
            while coming is not None and coming[0] <= (index + 0.5) / fps:
                image, coming = coming[1], next(decoded, None)
            yield _sized(image, size)


def _sized(image: UInt8[np.ndarray, "height width 3"], size: int) -> UInt8[np.ndarray, "size size 3"]:
    if image.shape[:2] == (size, size):
        return image
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))


def read_footage(
    video: Path | str, motion: Motion, head: HeadModel, size: int, min_confidence: float, max_seconds: float
) -> Footage:
    """Read a video around the head that was fitted to it.

    Args:
        video: the file.
        motion: fitted to it, in the coefficients of the head.
        head: the head.
        size: side of the frames, pixels.
        min_confidence: of frames that are learned from.
        max_seconds: the rest is not read.
    """
    motion = video_motion(motion, max_seconds)
    scene = scene_of(motion, head, size)
    frames = np.stack(list(scene_frames(video, scene, motion.num_frames, motion.fps, motion.source_turn)))
    trusted = torch.ones(motion.num_frames, dtype=torch.bool)
    if motion.confidence is not None:
        trusted = motion.confidence >= min_confidence
    return Footage(motion, torch.from_numpy(frames), trusted, scene)
