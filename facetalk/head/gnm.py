"""Google's GNM Head v3 (Apache-2.0): four joints, identity and regional expression in principal components.

Names and shapes follow the published `gnm_head.npz`. GNM has no jaw joint (the mouth opens by expression), so the jaw
of facetalk's five joints moves nothing; GNM's neck becomes the root, its head the neck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from facetalk.core.landmarks import IBUG_JAWLINE, IBUG_MOUTH_CORNERS, IBUG_NOSE_TIP, IBUG_OUTER_LIP_CENTERS, NUM_IBUG
from facetalk.head.annotations import Annotations
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.bare_mesh import BareMesh, Eyeball
from facetalk.head.surface_points import SurfacePoints, float_tensor

JOINT_NAMES = ("neck", "head", "left_eye", "right_eye")
_OUR_JOINT = (0, 1, 3, 4)
"""facetalk's joint for each of GNM's."""

EXPRESSION_LIMIT = 3.0
"""Typical range of the coefficients according to the publisher, standard deviations."""

_GROUP_SHARE = 0.5
"""Membership above which a vertex belongs to a group."""
_COLORS = {"mouth_sock": (0.31, 0.15, 0.15), "gums": (0.62, 0.30, 0.30), "teeth": (0.90, 0.87, 0.80),
           "tongue": (0.68, 0.30, 0.30)}  # fmt: skip
_WET = (0.5, 50.0)


@dataclass(frozen=True, eq=False)
class GnmArrays:
    """Arrays of a GNM file. Meters."""

    template: Float[np.ndarray, "vertices 3"]
    identity: Float[np.ndarray, "n_betas vertices 3"]
    identity_names: tuple[str, ...]
    expression: Float[np.ndarray, "n_expression vertices 3"]
    expression_names: tuple[str, ...]
    joints: Float[np.ndarray, "4 3"]
    joint_identity: Float[np.ndarray, "n_betas 4 3"]
    skin_weights: Float[np.ndarray, "4 vertices"]
    pose_correctives: Float[np.ndarray, "36 offsets"]
    faces: Int[np.ndarray, "faces 3"]
    face_uvs: Float[np.ndarray, "faces 3 2"]
    groups: Mapping[str, Float[np.ndarray, " vertices"]]
    """Soft membership of the vertices in named groups."""
    landmarks: Float[np.ndarray, "68 3"] | None = None
    """The publisher's sparse points at rest, where their file was found; the jaw line is not in iBUG order."""

    def members(self, *names: str) -> Int[np.ndarray, " members"]:
        """Vertices that belong to any of the named groups; groups that are missing are empty."""
        share = np.zeros(len(self.template))
        for name in names:
            share = np.maximum(share, self.groups.get(name, 0.0))
        return np.flatnonzero(share > _GROUP_SHARE)


def bare_gnm(arrays: GnmArrays) -> BareMesh:
    """Return the mesh with the places known from the published groups, or from the sparse landmarks."""
    forward = np.array([0.0, 0.0, 1.0])
    eyes = [
        Eyeball(arrays.members(name), arrays.joints[JOINT_NAMES.index(name)].astype(np.float64), forward)
        for name in ("left_eye", "right_eye")
    ]
    skin = np.setdiff1d(arrays.members("skin"), arrays.members("mouth_sock"))
    template = arrays.template.astype(np.float64)
    if arrays.landmarks is None:
        landmarks = _landmarks_from_groups(arrays, skin)
    else:
        landmarks = {index: arrays.landmarks[index] for index in range(len(IBUG_JAWLINE), NUM_IBUG)}
    return BareMesh(template, arrays.faces, skin, landmarks, eyes[0], eyes[1])


def gnm_assets(
    name: str, arrays: GnmArrays, annotations: Annotations, meta: Mapping[str, Any] | None = None
) -> HeadAssets:
    """Build facetalk's head from GNM.

    Args:
        name: name by which motions refer to the head.
        arrays: the model.
        annotations: points, regions and colors, which the published file lacks.
        meta: notes to keep.
    """
    num_vertices = len(arrays.template)
    joints, joint_identity = np.zeros((5, 3)), np.zeros((len(arrays.identity), 5, 3))
    joints[2], joint_identity[:, 2] = arrays.joints[1], arrays.joint_identity[:, 1]
    joints[list(_OUR_JOINT)], joint_identity[:, list(_OUR_JOINT)] = arrays.joints, arrays.joint_identity
    weights = np.zeros((num_vertices, 5))
    weights[:, list(_OUR_JOINT)] = arrays.skin_weights.T
    limits = torch.tensor([-EXPRESSION_LIMIT, EXPRESSION_LIMIT])
    colors, gloss = annotations.colors.copy(), annotations.gloss.copy()
    for group, color in _COLORS.items():
        members = arrays.members(group)
        colors[members], gloss[members] = color, _WET
    regions = dict(annotations.regions) | {
        "upper_teeth": arrays.members("upper_teeth_and_gums"),
        "lower_teeth": arrays.members("lower_teeth_and_gums"),
        "tongue": arrays.members("tongue"),
    }
    return HeadAssets(
        name=name,
        shape=HeadShape(
            template=float_tensor(arrays.template),
            identity_dirs=float_tensor(arrays.identity),
            identity_names=arrays.identity_names,
            expression_dirs=float_tensor(arrays.expression),
            expression_names=arrays.expression_names,
            faces=torch.from_numpy(arrays.faces),
            joints=float_tensor(joints),
            joint_identity_dirs=float_tensor(joint_identity),
            skin_weights=float_tensor(weights),
            pose_dirs=_pose_dirs(arrays),
            expression_bounds=limits.repeat(len(arrays.expression), 1),
        ),
        points=HeadPoints(
            landmarks=SurfacePoints.from_arrays(annotations.landmark_triangles, annotations.landmark_barycentric),
            mediapipe=SurfacePoints.from_arrays(annotations.mediapipe_triangles, annotations.mediapipe_barycentric),
            mediapipe_ids=torch.arange(len(annotations.mediapipe_triangles)),
            regions={key: torch.from_numpy(members.astype(np.int64)) for key, members in regions.items()},
        ),
        appearance=HeadAppearance(
            colors=float_tensor(colors),
            gloss=float_tensor(gloss),
            uv_coords=float_tensor(arrays.face_uvs.reshape(-1, 2)),
            uv_faces=torch.arange(len(arrays.faces) * 3).reshape(-1, 3),
        ),
        meta=dict(meta or {}),
    )


def _landmarks_from_groups(arrays: GnmArrays, skin: np.ndarray) -> dict[int, np.ndarray]:
    """Corners and centers of the lips and the tip of the nose, found from the groups, as 68-point landmarks."""
    template = arrays.template.astype(np.float64)
    upper, lower = template[arrays.members("upper_lip")], template[arrays.members("lower_lip")]
    lips = np.concatenate([upper, lower])
    half = np.abs(lips[:, 0]).max()
    middle_up, middle_low = (side[np.abs(side[:, 0]) < 0.12 * half] for side in (upper, lower))
    between = (template[skin, 1] > lips[:, 1].max()) & (template[skin, 1] < arrays.joints[2, 1])
    nose = template[skin[between]]
    right_corner, left_corner = IBUG_MOUTH_CORNERS
    upper_center, lower_center = IBUG_OUTER_LIP_CENTERS
    return {
        IBUG_NOSE_TIP: nose[nose[:, 2].argmax()],
        right_corner: lips[lips[:, 0].argmin()],
        left_corner: lips[lips[:, 0].argmax()],
        upper_center: middle_up[middle_up[:, 1].argmax()],
        lower_center: middle_low[middle_low[:, 1].argmin()],
    }


def _pose_dirs(arrays: GnmArrays) -> torch.Tensor | None:
    """Correctives for all five joints; None where the table is zero, as in the published file."""
    if not arrays.pose_correctives.any():
        return None
    dirs = np.zeros((5, 9, len(arrays.template), 3))
    dirs[list(_OUR_JOINT)] = arrays.pose_correctives.reshape(4, 9, -1, 3)
    return float_tensor(dirs.reshape(45, -1, 3))
