"""What an encoder said of a clip, as a head before the video's camera: vertices, landmarks and pictures of it.

Everything passes gradients on. Places are in units of the face's crop, -1 to 1, y down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import IBUG_FROM_MEDIAPIPE, IBUG_MOUTH_SLICE, IBUG_RIGID_IN_SPEECH
from facetalk.core.rotations import matrix_to_axis_angle
from facetalk.head.albedo import vertex_albedo
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.head.surface_points import SurfacePoints
from facetalk.networks.experts import MOUTH_SIDE
from facetalk.networks.face_encoder import FaceCode
from facetalk.rendering.differentiable import gray, perspective, render_shaded, smooth_normals
from facetalk.vision.crop import MOUTH_REACH, MOUTH_SHARE
from facetalk.vision.crop_view import crop_intrinsics, out_of_crop

FACE_VIEW = 112
"""Side of the rendered face, pixels."""


@dataclass(frozen=True, eq=False)
class Shots:
    """From where a clip's crops were taken."""

    K: Float[Tensor, "3 3"]
    """Of the video's camera, pixels."""
    boxes: Float[Tensor, "frames 3"]
    """Of the face crops: middle and side, pixels of the video."""


class HeadPoses(NamedTuple):
    """What the head model wants, per frame."""

    poses: Float[Tensor, "frames 5 3"]
    transl: Float[Tensor, "frames 3"]


class FaceScene:
    """A head that does what codes say."""

    def __init__(self, head: HeadModel) -> None:
        self.head = head
        self.marks = landmark_head(head)
        self.points_on = detected_points(head.assets)
        self.faces = head.shape.faces
        self.albedo = vertex_albedo(head.assets)
        self.middle = face_middle(head)

    def poses(self, code: FaceCode, betas: Float[Tensor, " n_betas"], shots: Shots) -> HeadPoses:
        """Joint rotations and translation before the video's camera."""
        turns, places = out_of_crop(code.rotation, code.camera, shots.K, shots.boxes)
        root = self.head.shaped(betas)[1][0]
        transl = places - root - (turns @ (self.middle - root))
        still = torch.zeros_like(transl)
        eyes = [torch.cat([look, still[:, :1]], 1) for look in code.gaze.split(2, 1)]
        return HeadPoses(torch.stack([matrix_to_axis_angle(turns), still, still, *eyes], 1), transl)

    def vertices(
        self, code: FaceCode, betas: Float[Tensor, " n_betas"], shots: Shots
    ) -> Float[Tensor, "frames vertices 3"]:
        """The mesh before the video's camera, metres."""
        return self.head(code.expression, *self.poses(code, betas, shots), betas)

    def points(self, code: FaceCode, betas: Float[Tensor, " n_betas"], shots: Shots) -> Float[Tensor, "frames 68 3"]:
        """The 68 landmarks as the detector would see them, before the video's camera, metres; no mesh is made."""
        return self.marks(code.expression, *self.poses(code, betas, shots), betas)

    def seen(self, points: Float[Tensor, "frames points 3"], shots: Shots) -> Float[Tensor, "frames points 2"]:
        """Where points before the video's camera are seen in the face's crop."""
        found = perspective(points, crop_intrinsics(shots.K, shots.boxes, 2)).homogeneous
        return found[..., :2] / found[..., 2:] - 1

    def landmarks(self, vertices: Float[Tensor, "frames vertices 3"], shots: Shots) -> Float[Tensor, "frames 68 2"]:
        """Where the 68 landmarks of the mesh itself are in the face's crop."""
        return self.seen(self.points_on.on(vertices), shots)

    @torch.no_grad()
    def anchored(
        self, code: FaceCode, betas: Float[Tensor, " n_betas"], shots: Shots, seen: Float[Tensor, "frames 68 2"]
    ) -> FaceCode:
        """The code with its camera moved and scaled so that nose and eyes lie where the detector saw them.

        The crop was cut around the same landmarks, and a picture of 112 pixels does not tell their place as well.

        Args:
            code: its rotation and expression are kept.
            betas: identity.
            shots: the crops.
            seen: the detector's landmarks in the face's crop.
        """
        target = seen[:, list(IBUG_RIGID_IN_SPEECH)]
        middle = target.mean(1, keepdim=True)
        for _ in range(2):  # perspective makes the second round worth it
            mine = self.seen(self.points(code, betas, shots), shots)[:, list(IBUG_RIGID_IN_SPEECH)]
            own = mine.mean(1, keepdim=True)
            scale = ((mine - own) * (target - middle)).sum((1, 2)) / (mine - own).square().sum((1, 2)).clamp_min(1e-9)
            scale = scale.clamp(0.5, 2.0)
            place = middle[:, 0] + scale[:, None] * (code.camera[:, 1:] - own[:, 0])
            code = replace(code, camera=torch.cat([code.camera[:, :1] * scale[:, None], place], 1))
        return code

    def mouths(
        self, vertices: Tensor, normals: Tensor, light: Float[Tensor, "frames 9 3"], shots: Shots
    ) -> Float[Tensor, "frames 88 88"]:
        """Grey mouth crops around the head's own landmarks, cut as those of the film are."""
        with torch.no_grad():
            boxes = _mouth_boxes(self.landmarks(vertices, shots), shots.boxes)
        image = self._picture(vertices, normals, light, Shots(shots.K, boxes), MOUTH_SIDE)
        return gray(image[:, :3])

    def portraits(
        self, vertices: Tensor, normals: Tensor, light: Float[Tensor, "frames 9 3"], shots: Shots
    ) -> Float[Tensor, "frames 3 112 112"]:
        """The face on black, as the film's crops show it."""
        return self._picture(vertices, normals, light, shots, FACE_VIEW)[:, :3]

    def normals(self, vertices: Float[Tensor, "frames vertices 3"]) -> Float[Tensor, "frames vertices 3"]:
        """For `mouths` and `portraits`."""
        return smooth_normals(vertices, self.faces)

    def _picture(self, vertices: Tensor, normals: Tensor, light: Tensor, shots: Shots, size: int) -> Tensor:
        projected = perspective(vertices, crop_intrinsics(shots.K, shots.boxes, size))
        return render_shaded(vertices, projected, self.faces, self.albedo, light, (size, size), normals)


def detected_points(assets: HeadAssets) -> SurfacePoints:
    """Where on a head MediaPipe sees the points that stand for the 68 landmarks."""
    place = {number: row for row, number in enumerate(assets.points.mediapipe_ids.tolist())}
    rows = [place[number] for number in IBUG_FROM_MEDIAPIPE]
    return SurfacePoints(assets.points.mediapipe.triangles[rows], assets.points.mediapipe.barycentric[rows])


def landmark_head(head: HeadModel) -> HeadModel:
    """A head whose vertices are the 68 landmarks as the detector would see them on a picture of the head.

    It reads the head as it reads a face, with the same errors (`HeadAssets.detector_bias`), so that like is compared
    with like; and 68 vertices cost next to nothing.
    """
    assets, points = head.assets, detected_points(head.assets)
    template, expression_dirs = points.on(assets.shape.template), points.on(assets.shape.expression_dirs)
    if assets.points.detector_bias is not None:
        place = {number: row for row, number in enumerate(assets.points.mediapipe_ids.tolist())}
        bias = assets.points.detector_bias[:, [place[number] for number in IBUG_FROM_MEDIAPIPE]]
        template, expression_dirs = template + bias[0], expression_dirs + bias[1:]
    every = torch.arange(len(template))
    correctives = None if assets.shape.corrective_dirs is None else points.on(assets.shape.corrective_dirs)
    return HeadModel(
        replace(
            assets,
            shape=replace(
                assets.shape,
                template=template,
                identity_dirs=points.on(assets.shape.identity_dirs),
                expression_dirs=expression_dirs,
                corrective_dirs=correctives,
                pose_dirs=None if assets.shape.pose_dirs is None else points.on(assets.shape.pose_dirs),
                skin_weights=(assets.shape.skin_weights[points.triangles] * points.barycentric[..., None]).sum(1),
            ),
            points=replace(
                assets.points,
                landmarks=SurfacePoints(every[:, None].repeat(1, 3), torch.eye(3)[torch.zeros_like(every)]),
            ),
            appearance=replace(
                assets.appearance, colors=torch.zeros(len(template), 3), gloss=torch.zeros(len(template), 2)
            ),
        )
    )


def face_middle(head: HeadModel) -> Float[Tensor, "3"]:
    """The point of a head at rest whose place in the crop the encoders speak of: the mean of its landmarks."""
    return detected_points(head.assets).on(head.template).mean(0)


def in_crop(
    points: Float[Tensor, "frames points 2"], boxes: Float[Tensor, "frames 3"]
) -> Float[Tensor, "frames points 2"]:
    """Pixels of a video in units of the crop."""
    return (points - boxes[:, None, :2]) / (boxes[:, None, 2:] / 2)


def _mouth_boxes(
    landmarks: Float[Tensor, "frames 68 2"], faces: Float[Tensor, "frames 3"]
) -> Float[Tensor, "frames 3"]:
    """Boxes of the middle 88 of 96 pixels around the mouth; see `vision.crop.mouth_boxes`."""
    head = landmarks.mean(1)
    offset = landmarks[:, IBUG_MOUTH_SLICE].mean(1) - head
    kernel = torch.ones(1, 1, 2 * MOUTH_REACH + 1)
    total = torch.nn.functional.conv1d(offset.T[:, None], kernel, padding=MOUTH_REACH)
    count = torch.nn.functional.conv1d(torch.ones(1, 1, len(offset)), kernel, padding=MOUTH_REACH)
    mouth = head + (total / count)[:, 0].T
    side = faces[:, 2:]
    return torch.cat([faces[:, :2] + mouth * side / 2, side * (MOUTH_SHARE * MOUTH_SIDE / 96)], 1)


@dataclass(frozen=True, eq=False)
class SeenClip:
    """Consecutive frames of one clip, as the encoder and the experts see them."""

    faces: Float[Tensor, "frames 3 112 112"]
    mouths: Float[Tensor, "frames 88 88"]
    landmarks: Float[Tensor, "frames 68 2"]
    """The detector's, in units of the face's crop."""
    shots: Shots
    trusted: Float[Tensor, " frames"]
