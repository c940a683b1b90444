"""Simple ways to show a person, which a trained renderer has to beat: frames of their videos, whole or patched."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from facetalk.core.landmarks import IBUG_MOUTH_SLICE
from facetalk.core.motion import Motion
from facetalk.head.model import HeadModel
from facetalk.motion.frames import posed
from facetalk.neural_rendering.appearance import blinks
from facetalk.neural_rendering.drawn_head import places, warped
from facetalk.neural_rendering.footage import Scene
from facetalk.neural_rendering.layers import as_bytes, as_colors
from facetalk.recipes.parts.person_frames import PersonFrames
from facetalk.rendering.differentiable import perspective

REACH_M = 0.012, 0.030
"""Distances from the lips at which a pasted mouth begins to fade, and ends."""


class PersonBaselines:
    """Frames that were trained on, found by where the landmarks of the fitted head lie in the image."""

    def __init__(self, frames: PersonFrames) -> None:
        self.frames, self.head = frames, frames.maker.head
        parts = [
            landmarks_in(self.head, footage.motion, scene.camera.K)
            for footage, scene in zip(frames.footages, frames.scenes, strict=True)
        ]
        self.known = torch.cat([rows[footage.trusted] for rows, footage in zip(parts, frames.footages, strict=True)])
        self.opacity = mouth_opacity(self.head)

    def nearest(
        self, motion: Motion, scene: Scene, K: Float[Tensor, "3 3"]
    ) -> Iterator[UInt8[np.ndarray, "size size 3"]]:
        """For each frame of a motion the known one whose 68 landmarks are nearest; see `LayerMaker.stream`."""
        for wanted in landmarks_in(self.head, motion, K):
            yield self._image(int((self.known - wanted).norm(dim=2).mean(1).argmin())).numpy()

    @torch.inference_mode()
    def pasted(
        self, motion: Motion, scene: Scene, K: Float[Tensor, "3 3"]
    ) -> Iterator[UInt8[np.ndarray, "size size 3"]]:
        """The known frame whose landmarks beside the mouth are nearest, with the mouth of the frame whose mouth is.

        The mouth is warped to the wanted head, and fades into the other frame.
        """
        mouths = _centered(self.known[:, IBUG_MOUTH_SLICE])
        rest = self.known[:, : IBUG_MOUTH_SLICE.start]
        wanted = landmarks_in(self.head, motion, K)
        heads = zip(posed(self.head, motion), blinks(motion), wanted, strict=True)
        for vertices, closed, points in heads:
            base = int((rest - points[: IBUG_MOUTH_SLICE.start]).norm(dim=2).mean(1).argmin())
            mouth = int((mouths - _centered(points[None, IBUG_MOUTH_SLICE])).norm(dim=2).mean(1).argmin())
            number, index = self.frames.places[mouth]
            source = self.frames.footages[number]
            there = perspective(self._vertices(source.motion, index), self.frames.scenes[number].camera.K[None])
            drawn = self.frames.maker.drawn(vertices, closed, K, self.opacity)
            moved = warped(as_colors(source.frames[index][None]), places(drawn, there.homogeneous))
            share = functional.avg_pool2d(drawn.values[:, -1:], 3, 1, 1)
            yield as_bytes(share * moved + (1 - share) * as_colors(self._image(base)[None]))[0].numpy()

    def _image(self, row: int) -> Tensor:
        number, index = self.frames.places[row]
        return self.frames.footages[number].frames[index]

    def _vertices(self, motion: Motion, index: int) -> Float[Tensor, "1 vertices 3"]:
        frame = motion.cut(index, index + 1)
        return self.head(frame.expression, frame.poses, frame.transl, frame.betas)


@torch.inference_mode()
def landmarks_in(head: HeadModel, motion: Motion, K: Float[Tensor, "3 3"]) -> Float[Tensor, "frames 68 2"]:
    """The 68 landmarks of the fitted head in the frames of a camera with these intrinsics, pixels."""
    rows = []
    for vertices in posed(head, motion):
        points = head.points.landmarks.on(torch.from_numpy(vertices)[None])
        found = perspective(points, K[None]).homogeneous
        rows.append(found[..., :2] / found[..., 2:])
    return torch.cat(rows)


def _centered(points: Float[Tensor, "frames points 2"]) -> Float[Tensor, "frames points 2"]:
    return points - points.mean(1, keepdim=True)


def mouth_opacity(head: HeadModel) -> Float[Tensor, "vertices 1"]:
    """How opaque a pasted mouth is at each vertex: 1 at the lips and within, 0 on the rest of the face."""
    from scipy.spatial import KDTree

    template = head.shape.template.numpy()
    distance, _ = KDTree(template[head.points.regions["mouth"].numpy()]).query(template)
    near, far = REACH_M
    return torch.from_numpy(np.clip((far - distance) / (far - near), 0, 1).astype(np.float32))[:, None]
