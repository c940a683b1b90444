"""Head parameters -> vertices and landmarks: linear shapes, then linear blend skinning on five joints.

The formula is FLAME's (Li et al. 2017, eq. 1-4) without pose correctives:
`M(beta, psi, theta) = W(T + S beta + E psi, J(beta), theta)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from facetalk.core.types import Motion
from facetalk.head.skinning import JOINT_PARENTS, skin


class SurfacePoints(NamedTuple):
    """Points on a mesh: a triangle each, and where in it."""

    triangles: Int[Tensor, "points 3"]
    """Vertex indices of the triangle's corners."""
    barycentric: Float[Tensor, "points 3"]

    def on(self, vertices: Float[Tensor, "*batch vertices 3"]) -> Float[Tensor, "*batch points 3"]:
        """The points' positions on a posed mesh, metres."""
        corners = vertices[..., self.triangles, :]
        return (corners * self.barycentric[..., None].to(vertices)).sum(-2)


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
    meta: Mapping[str, Any] = field(default_factory=dict)


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

    def __init__(self, assets: HeadAssets) -> None:
        super().__init__()
        self.assets = assets
        for name in ("template", "identity_dirs", "expression_dirs", "joints", "joint_identity_dirs", "skin_weights"):
            self.register_buffer(name, getattr(assets, name).to(torch.float32))

    @property
    def name(self) -> str:
        """Name by which motions refer to this head."""
        return self.assets.name

    @property
    def num_betas(self) -> int:
        """Number of identity coefficients."""
        return len(self.assets.identity_names)

    def shaped(self, betas: Float[Tensor, " n_betas"]) -> tuple[Float[Tensor, "vertices 3"], Float[Tensor, "5 3"]]:
        """Template and joints of one identity."""
        template = self.template + torch.einsum("s,svc->vc", betas, self.identity_dirs)
        joints = self.joints + torch.einsum("s,sjc->jc", betas, self.joint_identity_dirs)
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
            betas: identity, shared by all frames and folded into the template once.
        """
        template, joints = self.shaped(betas)
        offsets = (expression @ self.expression_dirs.flatten(1)).unflatten(1, (-1, 3))
        return skin(template + offsets, joints, poses, self.skin_weights, JOINT_PARENTS) + transl[:, None]

    def pose(self, motion: Motion) -> HeadMesh:
        """The mesh and its 68 landmarks for every frame of a motion that is made for this head."""
        if motion.head != self.name or motion.expression_names != self.assets.expression_names:
            raise ValueError(f"a motion for head {motion.head!r} cannot pose head {self.name!r}: retarget it first")
        vertices = self(motion.expression, motion.poses, motion.transl, motion.betas)
        return HeadMesh(vertices, self.assets.landmarks.on(vertices))
