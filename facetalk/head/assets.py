"""What defines a head: its shape, the points that are known on it, and its appearance.

Lengths are in meters. The head looks along +z, +y is up, and +x points to the subject's left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.surface_points import ContourPoints, SurfacePoints


@dataclass(frozen=True, eq=False)
class HeadShape:
    """A mesh and how its vertices move: linear shapes, correctives, joints and skinning weights."""

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
    pose_dirs: Float[Tensor, "n_pose_features vertices 3"] | None = None
    """Pose correctives: displacement for each of `skinning.pose_features`."""
    joint_expression_dirs: Float[Tensor, "n_expression 5 3"] | None = None
    """How the joints follow the expression; None where they do not."""
    expression_bounds: Float[Tensor, "n_expression 2"] | None = None
    """Smallest and largest sensible coefficient of each channel; None means [0, 1]."""
    corrective_dirs: Float[Tensor, "n_correctives vertices 3"] | None = None
    """Displacement at weight 1 of what pairs of channels need beyond their sum, see `correctives`."""
    corrective_pairs: Int[Tensor, "n_correctives 2"] | None = None
    """Columns of the expression that each of `corrective_dirs` depends on; the same column twice for an in-between."""

    @property
    def is_arkit(self) -> bool:
        """Whether the expression channels are the 52 of ARKit in Apple's order."""
        return self.expression_names == ARKIT_NAMES


@dataclass(frozen=True, eq=False)
class HeadPoints:
    """Known places on a head: landmarks of both layouts and named vertex sets."""

    landmarks: SurfacePoints
    """The 68 iBUG points, 0 at the subject's right ear."""
    mediapipe: SurfacePoints
    """Places of the points of MediaPipe's face mesh that `mediapipe_ids` names."""
    mediapipe_ids: Int[Tensor, " points"]
    """Indices (of 478) of the points that have a place on this head."""
    regions: Mapping[str, Int[Tensor, " members"]]
    """Vertex sets by name, see `regions`."""
    contour: ContourPoints | None = None
    """Jaw line of the 68 points as a camera sees it; None where it stays that of `landmarks`."""
    detector_bias: Float[Tensor, "rows points 3"] | None = None
    """Where MediaPipe sees its points on an image of the head relative to `mediapipe`, meters: at rest, then per unit
    of each ARKit channel. None where it was not measured."""


@dataclass(frozen=True, eq=False)
class HeadAppearance:
    """Colors, gloss and texture of a head."""

    colors: Float[Tensor, "vertices 3"]
    """sRGB in [0, 1]; multiplied with the texture where there is one."""
    gloss: Float[Tensor, "vertices 2"]
    """Specular strength in [0, 1] and Phong exponent."""
    uv_coords: Float[Tensor, "uvs 2"]
    """Texture coordinates; the origin is at the lower left."""
    uv_faces: Int[Tensor, "faces 3"]
    """Rows of `uv_coords` for the corners of the shape's `faces`."""
    texture: UInt8[np.ndarray, "height width 3"] | None = None
    """sRGB, first row at the top."""
    texture_layers: UInt8[np.ndarray, "height width 3"] | None = None
    """Shares of skin, lips and hair in each texel, which `looks` repaints."""


@dataclass(frozen=True, eq=False)
class HeadAssets:
    """Everything that defines a head model."""

    name: str
    """Name by which motions refer to the head."""
    shape: HeadShape
    points: HeadPoints
    appearance: HeadAppearance
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Notes about the source: file, checksum, license, look."""
