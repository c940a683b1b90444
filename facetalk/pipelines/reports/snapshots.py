"""Some frames of a fitted clip, cut to the face: the original next to the render."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.io.images import read_image
from facetalk.motion.frames import make_renderer, posed
from facetalk.motion.head_surface import head_surface
from facetalk.pipelines.reports.page import Snapshot
from facetalk.rendering.camera import project, resized_camera

NUM_SNAPSHOTS = 5
SNAPSHOT_SIDE = 128
"""Pixels."""

_SHOWN_REGIONS = ("upper_face", "lips")
"""Parts of the face in the crop, which adds half as much around them."""


def snapshots(motion: Motion, head: HeadModel, with_original: bool) -> list[Snapshot]:
    """Evenly spread frames of a clip.

    Args:
        motion: fitted, with a camera.
        head: of the motion.
        with_original: show the frames of the motion's source too.
    """
    assert motion.camera is not None
    spread = np.linspace(0, motion.num_frames - 1, NUM_SNAPSHOTS + 2).round().astype(int)[1:-1]
    frames = list(dict.fromkeys(spread.tolist()))
    meshes = [next(iter(posed(head, motion.cut(frame, frame + 1)))) for frame in frames]
    seen = torch.stack([project(torch.from_numpy(mesh), motion.camera) for mesh in meshes])
    shown = torch.cat([head.points.regions[name] for name in _SHOWN_REGIONS])
    box = _square_around(seen[:, shown].numpy())
    scale = SNAPSHOT_SIDE / (box[2] - box[0])
    camera = _scaled(motion.camera, scale)
    renderer = make_renderer("cpu", head_surface(head.assets), camera)
    renderer.prepare(meshes[0])
    start = motion.meta.get("start_s", 0.0)
    start_s = float(start) if isinstance(start, int | float) else 0.0
    found = []
    for frame, mesh in zip(frames, meshes, strict=True):
        time_s = frame / motion.fps
        original = None
        if with_original:
            whole = read_image(motion.source, start_s + time_s, camera.image_size, motion.source_turn)
            original = _cut(whole, box, scale)
        found.append(Snapshot(time_s, original, _cut(renderer.render(mesh), box, scale)))
    return found


def _square_around(points: Float[np.ndarray, "frames points 2"]) -> tuple[int, int, int, int]:
    """A square around a face in all its positions: left, top, right, bottom, pixels."""
    flat = points.reshape(-1, 2)
    low, high = flat.min(0), flat.max(0)
    side = 1.5 * float((high - low).max())
    left, top = (low + high) / 2 - side / 2
    return math.floor(left), math.floor(top), math.floor(left) + math.ceil(side), math.floor(top) + math.ceil(side)


def _scaled(camera: Camera, scale: float) -> Camera:
    width, height = camera.image_size
    return resized_camera(camera, (max(2, round(width * scale)), max(2, round(height * scale))))


def _cut(
    image: UInt8[np.ndarray, "height width 3"], box: Sequence[int], scale: float
) -> UInt8[np.ndarray, "side side 3"]:
    """The content of a box that was measured before scaling; black outside the image."""
    left, top = (round(edge * scale) for edge in box[:2])
    return np.asarray(Image.fromarray(image).crop((left, top, left + SNAPSHOT_SIDE, top + SNAPSHOT_SIDE)))
