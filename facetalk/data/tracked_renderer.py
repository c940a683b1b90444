"""Renders of fitted motion in the crops of its video: the same face as a mesh, to train on next to the real one."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.data.crops import FACE_PIXELS, KEPT_SCALE, MOUTH_PIXELS
from facetalk.data.faces import FACE_SIDE, FaceExample, crops_dir
from facetalk.head.albedo import vertex_albedo
from facetalk.head.model import HeadModel
from facetalk.rendering.differentiable import gray, perspective, rasterize, render_shaded, smooth_normals
from facetalk.rendering.harmonics import solve_light
from facetalk.vision.crop import FACE_SCALE
from facetalk.vision.crop_view import crop_intrinsics

LIGHT_FRAMES = 1
"""Frames of a clip from which its light is estimated; the light sources do not move."""


class TrackedRenderer:
    """Renders the fit of a clip in the crops of the clip."""

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        self.albedo = vertex_albedo(head.assets)
        self.faces = head.shape.faces

    def vertices(self, example: FaceExample, frames: Tensor) -> Float[Tensor, "frames vertices 3"]:
        """The fitted head in the frame of the camera, meters."""
        poses = example.turns.new_zeros(len(frames), 5, 3)
        poses[:, 0] = example.turns[frames]
        poses[:, 3, :2], poses[:, 4, :2] = example.gaze[frames].split(2, 1)
        return self.head(example.expression[frames], poses, example.transl[frames], example.betas)

    @torch.no_grad()
    def light(self, example: FaceExample) -> Float[Tensor, "9 3"]:
        """Spherical harmonics of the light under which the fitted head has the colors of the face in the video."""
        trusted = torch.nonzero(example.trusted)[:, 0]
        trusted = trusted if len(trusted) else torch.arange(example.num_frames)
        frames = trusted[torch.linspace(0, len(trusted) - 1, min(LIGHT_FRAMES, len(trusted))).round().long()]
        vertices = self.vertices(example, frames)
        boxes = example.track.face_boxes[frames] * torch.tensor([1, 1, KEPT_SCALE / FACE_SCALE])
        intrinsics = crop_intrinsics(example.K, boxes, FACE_PIXELS)
        fragments = rasterize(perspective(vertices, intrinsics), self.faces, (FACE_PIXELS, FACE_PIXELS))
        surface = torch.cat([smooth_normals(vertices, self.faces), self.albedo.expand(len(frames), -1, -1)], -1)
        normals, albedo = fragments.interpolate(surface).split(3, -1)
        images = torch.from_numpy(np.stack([example.crops.faces[int(frame)] for frame in frames])).flatten(1, 2)
        colors = images[fragments.frame, fragments.place].float() / 255
        # Hair, neck and clothes lie outside the middle of the crop.
        column, row = fragments.place % FACE_PIXELS, fragments.place // FACE_PIXELS
        middle = torch.hypot((column - FACE_PIXELS / 2).float(), (row - 0.54 * FACE_PIXELS)) < 0.27 * FACE_PIXELS
        normals = torch.nn.functional.normalize(normals, dim=-1)
        return solve_light(normals[middle], albedo[middle], colors[middle])

    @torch.no_grad()
    def portraits(
        self, example: FaceExample, frames: Tensor, light: Float[Tensor, "9 3"]
    ) -> Float[Tensor, "frames 3 112 112"]:
        """The rendered face on black, cropped like the face images of the video."""
        vertices = self.vertices(example, frames)
        projected = perspective(vertices, crop_intrinsics(example.K, example.track.face_boxes[frames], FACE_SIDE))
        lights = light.expand(len(frames), 9, 3)
        size = (FACE_SIDE, FACE_SIDE)
        return render_shaded(vertices, projected, self.faces, self.albedo, lights, size)[:, :3].clamp(0, 1)

    @torch.no_grad()
    def mouths(self, example: FaceExample, light: Float[Tensor, "9 3"]) -> UInt8[np.ndarray, "frames 96 96"]:
        """Gray mouth crops of the render, cut like those of the video."""
        parts = []
        for frames in torch.arange(example.num_frames).split(32):
            vertices = self.vertices(example, frames)
            intrinsics = crop_intrinsics(example.K, example.track.mouth_boxes[frames], MOUTH_PIXELS)
            lights = light.expand(len(frames), 9, 3)
            size = (MOUTH_PIXELS, MOUTH_PIXELS)
            image = render_shaded(vertices, perspective(vertices, intrinsics), self.faces, self.albedo, lights, size)
            parts.append((255 * gray(image[:, :3]).clamp(0, 1)).round().to(torch.uint8))
        return torch.cat(parts).numpy()


def rendered_mouths(example: FaceExample, renderer: TrackedRenderer) -> UInt8[np.ndarray, "frames 96 96"]:
    """Mouth crops of the rendered fit, rendered once and stored next to the crops of the video."""
    path = crops_dir(example.clip.folder) / f"{example.clip.name}.render.npy"
    if not path.is_file():
        np.save(path, renderer.mouths(example, clip_light(example, renderer)))
    return np.load(path, mmap_mode="r")


def clip_light(example: FaceExample, renderer: TrackedRenderer) -> Float[Tensor, "9 3"]:
    """The light of a clip, estimated once and stored next to its crops."""
    path = crops_dir(example.clip.folder) / f"{example.clip.name}.light.npy"
    if not path.is_file():
        np.save(path, renderer.light(example).numpy())
    return torch.from_numpy(np.load(path))


def head_places(
    example: FaceExample, head: HeadModel, frames: Tensor, pivot: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3"]]:
    """Rotation of the fitted head and position of one of its points, in the frame of the camera.

    Args:
        example: the fit.
        head: the head that was fitted.
        frames: indices of the wanted frames.
        pivot: the point on the head at rest, meters.
    """
    rotations = axis_angle_to_matrix(example.turns[frames])
    _, joints = head.shaped(example.betas)
    return rotations, rotations @ (pivot - joints[0]) + joints[0] + example.transl[frames]
