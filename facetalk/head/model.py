"""Head parameters -> vertices and landmarks: linear shapes, then linear blend skinning on five joints.

The formula is FLAME's (Li et al. 2017, eq. 1-4): `M(beta, psi, theta) = W(T + S beta + E psi + P(theta), J, theta)`,
with the pose correctives `P` where a head has them; the bundled head has correctives of its expression instead, see
`correctives.py`. Nothing is folded twice: one identity is one template, and expression and correctives are one matrix
product for a block of frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from facetalk.core.landmarks import IBUG_INNER_FACE_SLICE
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.core.types import Motion
from facetalk.head.correctives import corrective_weights
from facetalk.head.skinning import JOINT_PARENTS, joint_transforms, pose_features, skin

BLOCK = 32
"""Frames that are shaped and skinned at a time without gradients: their offsets stay in the processor's cache."""


class SurfacePoints(NamedTuple):
    """Points on a mesh: a triangle each, and where in it."""

    triangles: Int[Tensor, "points 3"]
    """Vertex indices of the triangle's corners."""
    barycentric: Float[Tensor, "points 3"]

    def on(self, vertices: Float[Tensor, "*batch vertices 3"]) -> Float[Tensor, "*batch points 3"]:
        """The points' positions on a posed mesh, metres."""
        corners = vertices[..., self.triangles, :]
        return (corners * self.barycentric[..., None].to(vertices)).sum(-2)


class ContourPoints(NamedTuple):
    """The 17 points of the jaw line where it is seen, for each degree of turning to either side."""

    triangles: Int[Tensor, "turns 17 3"]
    """Rows 0 to n for turns of 0 to n degrees to the subject's right, then 1 to n degrees to the left."""
    barycentric: Float[Tensor, "turns 17 3"]

    def on(
        self, vertices: Float[Tensor, "frames vertices 3"], turns: Float[Tensor, "frames 3 3"]
    ) -> Float[Tensor, "frames 17 3"]:
        """The points' positions on a posed mesh, metres.

        Args:
            vertices: the mesh.
            turns: rotation of the head against the camera.
        """
        most = len(self.triangles) // 2
        yaw = torch.atan2(-turns[:, 2, 0], torch.hypot(turns[:, 0, 0], turns[:, 1, 0]))
        degrees = torch.round(-yaw * 180 / torch.pi).clamp(-most, most).long()
        row = torch.where(degrees < 0, most - degrees, degrees)
        corners = torch.gather(vertices, 1, self.triangles[row].flatten(1)[..., None].expand(-1, -1, 3)).unflatten(
            1, (17, 3)
        )
        return (corners * self.barycentric[row][..., None].to(vertices)).sum(-2)


@dataclass(frozen=True, eq=False)
class HeadAssets:
    """Everything that defines a head model, as read from its file. Metres; x to the subject's left, y up, z forward."""

    name: str
    template: Float[Tensor, "vertices 3"]
    identity_dirs: Float[Tensor, "n_betas vertices 3"]
    """Displacement for one standard deviation of each identity coefficient."""
    identity_names: tuple[str, ...]
    expression_dirs: Float[Tensor, "n_expression vertices 3"]
    """Displacement for coefficient 1 of each expression channel."""
    expression_names: tuple[str, ...]
    faces: Int[Tensor, "faces 3"]
    """Triangles, counter-clockwise seen from outside."""
    joints: Float[Tensor, "5 3"]
    """Rest positions of root, neck, jaw, left eye, right eye."""
    joint_identity_dirs: Float[Tensor, "n_betas 5 3"]
    skin_weights: Float[Tensor, "vertices 5"]
    landmarks: SurfacePoints
    """The 68 iBUG points, 0 at the subject's right ear."""
    mediapipe: SurfacePoints
    """Where the points of MediaPipe's face mesh lie that `mediapipe_ids` names."""
    mediapipe_ids: Int[Tensor, " points"]
    """Numbers (of 478) of the points that have a place on this head."""
    regions: Mapping[str, Int[Tensor, " members"]]
    """Vertex sets by name, see `regions.py`."""
    colors: Float[Tensor, "vertices 3"]
    """sRGB in [0, 1]; multiplied with the texture where there is one."""
    gloss: Float[Tensor, "vertices 2"]
    """Specular strength in [0, 1] and Phong exponent."""
    uv_coords: Float[Tensor, "uvs 2"]
    """Origin at the lower left."""
    uv_faces: Int[Tensor, "faces 3"]
    """Rows of `uv_coords` for the corners of `faces`."""
    texture: np.ndarray | None = None
    """uint8 sRGB (height, width, 3), first row at the top."""
    texture_layers: np.ndarray | None = None
    """Shares of skin, lips and hair in each texel, uint8 (height, width, 3): what `looks` repaints."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    pose_dirs: Float[Tensor, "n_pose_features vertices 3"] | None = None
    """Pose correctives: displacement for each of `skinning.pose_features`."""
    joint_expression_dirs: Float[Tensor, "n_expression 5 3"] | None = None
    """How the joints follow the expression; where missing they do not."""
    contour: ContourPoints | None = None
    """Jaw line of the 68 points as a camera sees it; where missing it stays that of `landmarks`."""
    expression_bounds: Float[Tensor, "n_expression 2"] | None = None
    """Smallest and largest sensible coefficient of each channel; [0, 1] where missing."""
    corrective_dirs: Float[Tensor, "n_correctives vertices 3"] | None = None
    """Displacement at weight 1 of what pairs of channels need beyond their sum, see `correctives.py`."""
    corrective_pairs: Int[Tensor, "n_correctives 2"] | None = None
    """Columns of the expression that each of `corrective_dirs` goes with; the same twice for an in-between."""
    detector_bias: Float[Tensor, "rows points 3"] | None = None
    """Where MediaPipe sees its points on a picture of the head, relative to `mediapipe`: at rest, then per unit of each
    of ARKit's channels, metres; see `models.detector_bias`. Nothing where missing."""


class HeadMesh(NamedTuple):
    """A posed head over time."""

    vertices: Float[Tensor, "frames vertices 3"]
    landmarks: Float[Tensor, "frames 68 3"]


class HeadModel(nn.Module):
    """A head that can be posed. Holds its assets as buffers; has no parameters to train."""

    template: Tensor
    identity_dirs: Tensor
    expression_dirs: Tensor
    joints: Tensor
    joint_identity_dirs: Tensor
    skin_weights: Tensor
    pose_dirs: Tensor | None
    joint_expression_dirs: Tensor | None
    corrective_dirs: Tensor | None
    corrective_pairs: Tensor | None

    def __init__(self, assets: HeadAssets) -> None:
        super().__init__()
        self.assets = assets
        for name in ("template", "identity_dirs", "expression_dirs", "joints", "joint_identity_dirs", "skin_weights",
                     "pose_dirs", "joint_expression_dirs", "corrective_dirs"):  # fmt: skip
            values = getattr(assets, name)
            self.register_buffer(name, None if values is None else values.to(torch.float32))
        self.register_buffer("corrective_pairs", assets.corrective_pairs)
        self._planes: tuple[Tensor, Tensor] | None = None
        self._folded: tuple[Tensor, Tensor, Tensor] | None = None

    @property
    def name(self) -> str:
        """Name by which motions refer to this head."""
        return self.assets.name

    @property
    def num_betas(self) -> int:
        """Number of identity coefficients."""
        return len(self.assets.identity_names)

    def shaped(self, betas: Float[Tensor, " n_betas"]) -> tuple[Float[Tensor, "vertices 3"], Float[Tensor, "5 3"]]:
        """Template and joints of one identity; coefficients that are not given are nought."""
        given = slice(len(betas))
        template = self.template + torch.einsum("s,svc->vc", betas, self.identity_dirs[given])
        joints = self.joints + torch.einsum("s,sjc->jc", betas, self.joint_identity_dirs[given])
        return template, joints

    def forward(
        self,
        expression: Float[Tensor, "frames n_expression"],
        poses: Float[Tensor, "frames 5 3"],
        transl: Float[Tensor, "frames 3"],
        betas: Float[Tensor, " n_betas"],
    ) -> Float[Tensor, "frames vertices 3"]:
        """Vertices in metres.

        Args:
            expression: coefficients, see `assets.expression_names`.
            poses: axis-angle radians of root, neck, jaw, left eye, right eye.
            transl: metres.
            betas: identity, shared by all frames and folded into the template once. Leading coefficients are enough, so
                that a motion from before a head had more of them keeps its face.
        """
        inputs = (expression, poses, transl, betas)
        wants_gradient = torch.is_grad_enabled() and any(value.requires_grad for value in inputs)
        if not wants_gradient and all(
            value.dtype == torch.float32 and value.is_cpu for value in (*inputs, self.template)
        ):
            return self._forward_compiled(expression, poses, transl, betas)
        template, joints = self.shaped(betas)
        offsets = (expression @ self.expression_dirs.flatten(1)).unflatten(1, (-1, 3))
        if self.corrective_dirs is not None and self.corrective_pairs is not None:
            together = corrective_weights(expression, self.corrective_pairs)
            offsets = offsets + (together @ self.corrective_dirs.flatten(1)).unflatten(1, (-1, 3))
        if self.pose_dirs is not None:
            features = pose_features(poses, len(self.pose_dirs))
            offsets = offsets + (features @ self.pose_dirs.flatten(1)).unflatten(1, (-1, 3))
        joints = self._joints_of(joints, expression)
        return skin(template + offsets, joints, poses, self.skin_weights, JOINT_PARENTS) + transl[:, None]

    def pose(self, motion: Motion) -> HeadMesh:
        """The mesh and its 68 landmarks for every frame of a motion that is made for this head."""
        if motion.head != self.name or motion.expression_names != self.assets.expression_names:
            raise ValueError(f"a motion for head {motion.head!r} cannot pose head {self.name!r}: retarget it first")
        vertices = self(motion.expression, motion.poses, motion.transl, motion.betas)
        return HeadMesh(vertices, self.assets.landmarks.on(vertices))

    def seen_landmarks(
        self, vertices: Float[Tensor, "frames vertices 3"], poses: Float[Tensor, "frames 5 3"]
    ) -> Float[Tensor, "frames 68 3"]:
        """The 68 landmarks as a camera in front sees them: the jaw line slides with the head's yaw.

        Args:
            vertices: what `forward` returned.
            poses: with which it was called.
        """
        landmarks = self.assets.landmarks.on(vertices)
        if self.assets.contour is None:
            return landmarks
        turns = axis_angle_to_matrix(poses[:, 0]) @ axis_angle_to_matrix(poses[:, 1])
        return torch.cat([self.assets.contour.on(vertices, turns), landmarks[:, IBUG_INNER_FACE_SLICE]], 1)

    def _joints_of(self, joints: Tensor, expression: Tensor) -> Tensor:
        """Rest positions of the joints: one set, or one for each frame where they follow the expression."""
        if self.joint_expression_dirs is None:
            return joints
        return joints + torch.einsum("te,ejc->tjc", expression, self.joint_expression_dirs)

    def _forward_compiled(self, expression: Tensor, poses: Tensor, transl: Tensor, betas: Tensor) -> Tensor:
        """What `forward` computes, without gradients: a matrix product and a compiled loop for each block of frames."""
        from facetalk.head.skinning_kernel import skin_frames  # numba loads here

        with torch.no_grad():
            template, joints = self._fold(betas)
            dirs, weights = self._by_coordinate()
            rotation, shift = joint_transforms(self._joints_of(joints, expression), poses, JOINT_PARENTS)
            transforms = torch.cat([rotation.flatten(2), shift + transl[:, None]], 2).numpy()
            if self.corrective_pairs is not None:
                expression = torch.cat([expression, corrective_weights(expression, self.corrective_pairs)], 1)
            if self.pose_dirs is not None:
                expression = torch.cat([expression, pose_features(poses, len(self.pose_dirs))], 1)
            vertices = template.new_empty(len(expression), len(self.template), 3)
            shaped = template.new_empty(min(BLOCK, len(expression)), len(template))
            for start in range(0, len(expression), BLOCK):
                part = expression[start : start + BLOCK]
                block = torch.addmm(template, part, dirs, out=shaped[: len(part)])
                rest = block.numpy().reshape(len(part), 3, -1)
                end = start + len(part)
                skin_frames(rest, transforms[start:end], weights.numpy(), vertices[start:end].numpy())
        return vertices

    def _by_coordinate(self) -> tuple[Tensor, Tensor]:
        """Directions of expression, correctives and pose as (n, 3 x vertices), skin weights as (joints, vertices)."""
        if self._planes is None:
            kinds = (self.expression_dirs, self.corrective_dirs, self.pose_dirs)
            dirs = torch.cat([values for values in kinds if values is not None])
            self._planes = (dirs.transpose(1, 2).flatten(1).contiguous(), self.skin_weights.T.contiguous())
        return self._planes

    def _fold(self, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Template (3 x vertices) and joints of an identity; the last one is remembered."""
        folded = self._folded
        if folded is None or not torch.equal(folded[0], betas):
            template, joints = self.shaped(betas)
            folded = self._folded = (betas.clone(), template.T.flatten().contiguous(), joints)
        return folded[1:]
