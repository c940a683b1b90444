"""Google's GNM Head v3 (Apache-2.0) as a head: four joints, identity and regional expression in principal components.

Names and shapes are those of the published `gnm_head.npz`. GNM has no jaw joint (the mouth opens by expression), so the
jaw of facetalk's five joints moves nothing; its neck is our root, its head our neck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from facetalk.core.landmarks import IBUG_JAWLINE, NUM_IBUG
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.dressing import BareHead, Dress, Eyeball
from facetalk.head.surface_points import SurfacePoints

JOINT_NAMES = ("neck", "head", "left_eye", "right_eye")
_OUR_JOINT = (0, 1, 3, 4)
"""Which of facetalk's joints each of GNM's is."""

EXPRESSION_LIMIT = 3.0
"""Typical range of the coefficients in the publisher's description, standard deviations."""

_GROUP_SHARE = 0.5
_COLORS = {"mouth_sock": (0.31, 0.15, 0.15), "gums": (0.62, 0.30, 0.30), "teeth": (0.90, 0.87, 0.80),
           "tongue": (0.68, 0.30, 0.30)}  # fmt: skip
_WET = (0.5, 50.0)


@dataclass(frozen=True, eq=False)
class GnmArrays:
    """What a GNM file holds. Metres."""

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
    """The publisher's sparse points at rest, where the file was there; the jaw line is not in iBUG order."""

    def members(self, *names: str) -> Int[np.ndarray, " members"]:
        """Vertices that belong to any of the groups that are there."""
        share = np.zeros(len(self.template))
        for name in names:
            share = np.maximum(share, self.groups.get(name, 0.0))
        return np.flatnonzero(share > _GROUP_SHARE)


def bare_gnm(arrays: GnmArrays) -> BareHead:
    """Places known from the published groups, or from the sparse landmarks."""
    forward = np.array([0.0, 0.0, 1.0])
    eyes = [
        Eyeball(arrays.members(name), arrays.joints[JOINT_NAMES.index(name)].astype(np.float64), forward)
        for name in ("left_eye", "right_eye")
    ]
    skin = np.setdiff1d(arrays.members("skin"), arrays.members("mouth_sock"))
    template = arrays.template.astype(np.float64)
    marks = (
        {number: arrays.landmarks[number] for number in range(len(IBUG_JAWLINE), NUM_IBUG)}
        if arrays.landmarks is not None
        else {}
    )
    return BareHead(template, arrays.faces, skin, marks or _marks(arrays, skin), eyes[0], eyes[1])


def gnm_assets(name: str, arrays: GnmArrays, dress: Dress, meta: Mapping[str, Any] | None = None) -> HeadAssets:
    """GNM with everything that facetalk wants of a head."""
    num_vertices = len(arrays.template)
    joints, joint_identity = np.zeros((5, 3)), np.zeros((len(arrays.identity), 5, 3))
    joints[2], joint_identity[:, 2] = arrays.joints[1], arrays.joint_identity[:, 1]
    joints[list(_OUR_JOINT)], joint_identity[:, list(_OUR_JOINT)] = arrays.joints, arrays.joint_identity
    weights = np.zeros((num_vertices, 5))
    weights[:, list(_OUR_JOINT)] = arrays.skin_weights.T
    limits = torch.tensor([-EXPRESSION_LIMIT, EXPRESSION_LIMIT])
    colors, gloss = dress.colors.copy(), dress.gloss.copy()
    for group, color in _COLORS.items():
        members = arrays.members(group)
        colors[members], gloss[members] = color, _WET
    regions = dict(dress.regions) | {
        "upper_teeth": arrays.members("upper_teeth_and_gums"),
        "lower_teeth": arrays.members("lower_teeth_and_gums"),
        "tongue": arrays.members("tongue"),
    }
    return HeadAssets(
        name=name,
        shape=HeadShape(
            template=_tensor(arrays.template),
            identity_dirs=_tensor(arrays.identity),
            identity_names=arrays.identity_names,
            expression_dirs=_tensor(arrays.expression),
            expression_names=arrays.expression_names,
            faces=torch.from_numpy(arrays.faces),
            joints=_tensor(joints),
            joint_identity_dirs=_tensor(joint_identity),
            skin_weights=_tensor(weights),
            pose_dirs=_pose_dirs(arrays),
            expression_bounds=limits.repeat(len(arrays.expression), 1),
        ),
        points=HeadPoints(
            landmarks=SurfacePoints(torch.from_numpy(dress.landmark_triangles), _tensor(dress.landmark_barycentric)),
            mediapipe=SurfacePoints(torch.from_numpy(dress.mediapipe_triangles), _tensor(dress.mediapipe_barycentric)),
            mediapipe_ids=torch.arange(len(dress.mediapipe_triangles)),
            regions={key: torch.from_numpy(members.astype(np.int64)) for key, members in regions.items()},
        ),
        appearance=HeadAppearance(
            colors=_tensor(colors),
            gloss=_tensor(gloss),
            uv_coords=_tensor(arrays.face_uvs.reshape(-1, 2)),
            uv_faces=torch.arange(len(arrays.faces) * 3).reshape(-1, 3),
        ),
        meta=dict(meta or {}),
    )


def _marks(arrays: GnmArrays, skin: np.ndarray) -> dict[int, np.ndarray]:
    """Corners and middles of the lips and the tip of the nose, from the groups."""
    template = arrays.template.astype(np.float64)
    upper, lower = template[arrays.members("upper_lip")], template[arrays.members("lower_lip")]
    lips = np.concatenate([upper, lower])
    half = np.abs(lips[:, 0]).max()
    middle_up, middle_low = (side[np.abs(side[:, 0]) < 0.12 * half] for side in (upper, lower))
    between = (template[skin, 1] > lips[:, 1].max()) & (template[skin, 1] < arrays.joints[2, 1])
    nose = template[skin[between]]
    return {
        30: nose[nose[:, 2].argmax()],
        48: lips[lips[:, 0].argmin()],
        54: lips[lips[:, 0].argmax()],
        51: middle_up[middle_up[:, 1].argmax()],
        57: middle_low[middle_low[:, 1].argmin()],
    }


def _pose_dirs(arrays: GnmArrays) -> torch.Tensor | None:
    """Correctives for all five joints; the published file has the table but only zeros in it."""
    if not arrays.pose_correctives.any():
        return None
    dirs = np.zeros((5, 9, len(arrays.template), 3))
    dirs[list(_OUR_JOINT)] = arrays.pose_correctives.reshape(4, 9, -1, 3)
    return _tensor(dirs.reshape(45, -1, 3))


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
