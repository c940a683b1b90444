"""A head in front of a video's camera, posed by a face encoder's codes: its vertices, landmarks and images.

Everything is differentiable. Image positions are in units of the face crop, from -1 to 1, y down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import IBUG_MOUTH_SLICE, IBUG_RIGID_IN_SPEECH
from facetalk.core.rotations import matrix_to_axis_angle
from facetalk.head.albedo import vertex_albedo
from facetalk.head.model import HeadModel
from facetalk.motion.landmark_head import detected_points, face_center, landmark_head
from facetalk.networks.experts import MOUTH_SIDE
from facetalk.networks.face_encoder import FaceCode
from facetalk.rendering.differentiable import gray, perspective, render_shaded, smooth_normals
from facetalk.vision.crop import MOUTH_REACH, MOUTH_SHARE
from facetalk.vision.crop_view import crop_intrinsics, out_of_crop

FACE_VIEW = 112
"""Side of the rendered face, pixels."""


@dataclass(frozen=True, eq=False)
class CropViews:
    """The parts of a video's frames from which a clip's face crops were taken."""

    K: Float[Tensor, "3 3"]
    """Intrinsics of the video's camera, pixels."""
    boxes: Float[Tensor, "frames 3"]
    """Center and side of each face crop, pixels of the video."""


@dataclass(frozen=True, eq=False)
class ObservedClip:
    """Consecutive frames of one clip, as the encoder and the pretrained critics see them."""

    faces: Float[Tensor, "frames 3 112 112"]
    mouths: Float[Tensor, "frames 88 88"]
    landmarks: Float[Tensor, "frames 68 2"]
    """Detected landmarks in units of the face crop."""
    views: CropViews
    trusted: Float[Tensor, " frames"]


class HeadPoses(NamedTuple):
    """Pose of the head model in each frame."""

    poses: Float[Tensor, "frames 5 3"]
    """Axis-angle of each joint, radians."""
    transl: Float[Tensor, "frames 3"]
    """Meters."""


class FaceScene:
    """A head in front of the video's camera, posed by codes."""

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        self.landmark_head = landmark_head(head)
        self.detected = detected_points(head.assets)
        self.faces = head.shape.faces
        self.albedo = vertex_albedo(head.assets)
        self.center = face_center(head)

    def poses(self, code: FaceCode, betas: Float[Tensor, " n_betas"], views: CropViews) -> HeadPoses:
        """Joint rotations and translation in front of the video's camera."""
        turns, places = out_of_crop(code.rotation, code.camera, views.K, views.boxes)
        root = self.head.shaped(betas)[1][0]
        transl = places - root - (turns @ (self.center - root))
        still = torch.zeros_like(transl)
        eyes = [torch.cat([look, still[:, :1]], 1) for look in code.gaze.split(2, 1)]
        return HeadPoses(torch.stack([matrix_to_axis_angle(turns), still, still, *eyes], 1), transl)

    def vertices(
        self, code: FaceCode, betas: Float[Tensor, " n_betas"], views: CropViews
    ) -> Float[Tensor, "frames vertices 3"]:
        """Vertices in front of the video's camera, meters."""
        return self.head(code.expression, *self.poses(code, betas, views), betas)

    def points(
        self, code: FaceCode, betas: Float[Tensor, " n_betas"], views: CropViews
    ) -> Float[Tensor, "frames 68 3"]:
        """The 68 landmarks as detected, in front of the video's camera, meters; the mesh is not posed."""
        return self.landmark_head(code.expression, *self.poses(code, betas, views), betas)

    def seen(self, points: Float[Tensor, "frames points 3"], views: CropViews) -> Float[Tensor, "frames points 2"]:
        """Project points in front of the video's camera into the face crop."""
        found = perspective(points, crop_intrinsics(views.K, views.boxes, 2)).homogeneous
        return found[..., :2] / found[..., 2:] - 1

    def landmarks(self, vertices: Float[Tensor, "frames vertices 3"], views: CropViews) -> Float[Tensor, "frames 68 2"]:
        """Project the 68 landmarks of the posed mesh into the face crop, without the detector's bias."""
        return self.seen(self.detected.on(vertices), views)

    @torch.no_grad()
    def anchored(
        self, code: FaceCode, betas: Float[Tensor, " n_betas"], views: CropViews, seen: Float[Tensor, "frames 68 2"]
    ) -> FaceCode:
        """Return the code with its camera shifted and scaled so that nose and eyes lie where they were detected.

        The detected landmarks, around which the crop was cut, are more precise than what an encoder infers from 112
        pixels.

        Args:
            code: a code, whose rotation and expression are kept.
            betas: identity coefficients.
            views: the crops.
            seen: detected landmarks in the face crop.
        """
        target = seen[:, list(IBUG_RIGID_IN_SPEECH)]
        middle = target.mean(1, keepdim=True)
        for _ in range(2):  # the second round corrects for perspective
            mine = self.seen(self.points(code, betas, views), views)[:, list(IBUG_RIGID_IN_SPEECH)]
            own = mine.mean(1, keepdim=True)
            scale = ((mine - own) * (target - middle)).sum((1, 2)) / (mine - own).square().sum((1, 2)).clamp_min(1e-9)
            scale = scale.clamp(0.5, 2.0)
            place = middle[:, 0] + scale[:, None] * (code.camera[:, 1:] - own[:, 0])
            code = replace(code, camera=torch.cat([code.camera[:, :1] * scale[:, None], place], 1))
        return code

    def mouths(
        self, vertices: Tensor, normals: Tensor, light: Float[Tensor, "frames 9 3"], views: CropViews
    ) -> Float[Tensor, "frames 88 88"]:
        """Gray mouth crops around the head's own landmarks, cut as those of the video."""
        with torch.no_grad():
            boxes = _mouth_boxes(self.landmarks(vertices, views), views.boxes)
        image = self._render(vertices, normals, light, CropViews(views.K, boxes), MOUTH_SIDE)
        return gray(image[:, :3])

    def portraits(
        self, vertices: Tensor, normals: Tensor, light: Float[Tensor, "frames 9 3"], views: CropViews
    ) -> Float[Tensor, "frames 3 112 112"]:
        """The face on black, framed as in the video's crops."""
        return self._render(vertices, normals, light, views, FACE_VIEW)[:, :3]

    def normals(self, vertices: Float[Tensor, "frames vertices 3"]) -> Float[Tensor, "frames vertices 3"]:
        """Vertex normals for `mouths` and `portraits`."""
        return smooth_normals(vertices, self.faces)

    def _render(self, vertices: Tensor, normals: Tensor, light: Tensor, views: CropViews, size: int) -> Tensor:
        projected = perspective(vertices, crop_intrinsics(views.K, views.boxes, size))
        return render_shaded(vertices, projected, self.faces, self.albedo, light, (size, size), normals)


def in_crop(
    points: Float[Tensor, "frames points 2"], boxes: Float[Tensor, "frames 3"]
) -> Float[Tensor, "frames points 2"]:
    """Convert pixels of a video to units of the crop."""
    return (points - boxes[:, None, :2]) / (boxes[:, None, 2:] / 2)


def _mouth_boxes(
    landmarks: Float[Tensor, "frames 68 2"], faces: Float[Tensor, "frames 3"]
) -> Float[Tensor, "frames 3"]:
    """Boxes of the central 88 of 96 pixels around the mouth; see `vision.crop.mouth_boxes`."""
    head = landmarks.mean(1)
    offset = landmarks[:, IBUG_MOUTH_SLICE].mean(1) - head
    kernel = torch.ones(1, 1, 2 * MOUTH_REACH + 1)
    total = torch.nn.functional.conv1d(offset.T[:, None], kernel, padding=MOUTH_REACH)
    count = torch.nn.functional.conv1d(torch.ones(1, 1, len(offset)), kernel, padding=MOUTH_REACH)
    mouth = head + (total / count)[:, 0].T
    side = faces[:, 2:]
    return torch.cat([faces[:, :2] + mouth * side / 2, side * (MOUTH_SHARE * MOUTH_SIDE / 96)], 1)
