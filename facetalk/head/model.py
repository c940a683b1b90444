"""The head model: parameters to vertices and landmarks by linear shapes and linear blend skinning on five joints.

The formula is FLAME's (Li et al. 2017, eq. 1-4): `M(beta, psi, theta) = W(T + S beta + E psi + P(theta), J, theta)`,
with the pose correctives `P` where a head has them; the bundled head has expression correctives instead, see
`correctives`. An identity is applied to the template once, and expression and correctives are one matrix product per
block of frames.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.landmarks import IBUG_INNER_FACE_SLICE
from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.correctives import corrective_weights
from facetalk.head.skinning import JOINT_PARENTS, joint_transforms, pose_features, skin

BLOCK = 32
"""Frames per block without gradients: few enough that their offsets stay in the processor's cache."""


class HeadMesh(NamedTuple):
    """A posed head over time."""

    vertices: Float[Tensor, "frames vertices 3"]
    landmarks: Float[Tensor, "frames 68 3"]


class HeadModel(nn.Module):
    """A head that can be posed. It holds its assets as buffers and has no trainable parameters."""

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
        shape = assets.shape
        for name in ("template", "identity_dirs", "expression_dirs", "joints", "joint_identity_dirs", "skin_weights",
                     "pose_dirs", "joint_expression_dirs", "corrective_dirs"):  # fmt: skip
            values = getattr(shape, name)
            self.register_buffer(name, None if values is None else values.to(torch.float32))
        self.register_buffer("corrective_pairs", shape.corrective_pairs)
        self._planes: tuple[Tensor, Tensor] | None = None
        self._folded: tuple[Tensor, Tensor, Tensor] | None = None

    @property
    def name(self) -> str:
        """Name by which motions refer to this head."""
        return self.assets.name

    @property
    def shape(self) -> HeadShape:
        """Template, displacements and joints, as read from the head's file."""
        return self.assets.shape

    @property
    def points(self) -> HeadPoints:
        """Landmarks and regions."""
        return self.assets.points

    @property
    def appearance(self) -> HeadAppearance:
        """Colors, gloss and texture."""
        return self.assets.appearance

    @property
    def num_betas(self) -> int:
        """Number of identity coefficients."""
        return len(self.shape.identity_names)

    def shaped(self, betas: Float[Tensor, " n_betas"]) -> tuple[Float[Tensor, "vertices 3"], Float[Tensor, "5 3"]]:
        """Template and joints of one identity; omitted trailing coefficients are zero."""
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
        """Pose the head; returns vertices in meters.

        Args:
            expression: coefficients, see `shape.expression_names`.
            poses: axis-angle radians of root, neck, jaw, left eye, right eye.
            transl: meters.
            betas: identity, shared by all frames. Leading coefficients are enough, so that a motion made before a head
                gained coefficients keeps its face.
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
        """Pose a motion of this head: vertices and 68 landmarks of every frame.

        Raises:
            ValueError: the motion is made for another head.
        """
        if motion.head != self.name or motion.expression_names != self.shape.expression_names:
            raise ValueError(f"a motion for head {motion.head!r} cannot pose head {self.name!r}: retarget it first")
        vertices = self(motion.expression, motion.poses, motion.transl, motion.betas)
        return HeadMesh(vertices, self.points.landmarks.on(vertices))

    def seen_landmarks(
        self, vertices: Float[Tensor, "frames vertices 3"], poses: Float[Tensor, "frames 5 3"]
    ) -> Float[Tensor, "frames 68 3"]:
        """The 68 landmarks as a camera in front of the head sees them: the jaw line slides with the head's yaw.

        Args:
            vertices: result of `forward`.
            poses: the poses it was called with.
        """
        landmarks = self.points.landmarks.on(vertices)
        if self.points.contour is None:
            return landmarks
        turns = axis_angle_to_matrix(poses[:, 0]) @ axis_angle_to_matrix(poses[:, 1])
        return torch.cat([self.points.contour.on(vertices, turns), landmarks[:, IBUG_INNER_FACE_SLICE]], 1)

    def _joints_of(self, joints: Tensor, expression: Tensor) -> Tensor:
        """Rest positions of the joints: one set, or one per frame where they follow the expression."""
        if self.joint_expression_dirs is None:
            return joints
        return joints + torch.einsum("te,ejc->tjc", expression, self.joint_expression_dirs)

    def _forward_compiled(self, expression: Tensor, poses: Tensor, transl: Tensor, betas: Tensor) -> Tensor:
        """`forward` without gradients: a matrix product and a compiled loop per block of frames."""
        from facetalk.head.skinning_kernel import skin_frames  # loads numba

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
        """Template (3 x vertices) and joints of an identity; the last one is cached."""
        folded = self._folded
        if folded is None or not torch.equal(folded[0], betas):
            template, joints = self.shaped(betas)
            folded = self._folded = (betas.clone(), template.T.flatten().contiguous(), joints)
        return folded[1:]
