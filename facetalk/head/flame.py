"""FLAME (Li et al. 2017): the published arrays as `HeadAssets`.

The published files hold `v_template` (V, 3), `shapedirs` (V, 3, identity and
expression), `posedirs` (V, 3, 36), `J_regressor` (5, V), `weights` (V, 5), `kintree_table` (2, 5), `f` (F, 3). Joints
are regressed from the shaped head, expression included, as in the published implementations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from facetalk.core.landmarks import IBUG_JAWLINE, IBUG_NASION, IBUG_OUTER_LIP_CENTERS, NUM_IBUG
from facetalk.head.annotations import Annotations
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.bare_mesh import BareMesh, fit_eyeball
from facetalk.head.contour import sliding_contour
from facetalk.head.surface_points import ContourPoints, SurfacePoints, float_tensor

NUM_VERTICES = 5023
NUM_IDENTITY = 300
"""Identity comes first in `shapedirs`; expression follows."""
NUM_POSE_FEATURES = 36
LEFT_EYE, RIGHT_EYE = 3, 4
EXPRESSION_LIMIT = 4.0
"""Largest sensible expression coefficient, in standard deviations."""

_MOUTH_COLOR = (0.16, 0.07, 0.07)

LANDMARK_VERTICES = {
    8: 3414, 27: 3560, 30: 3564, 31: 2751, 33: 3556, 35: 1623, 36: 2428, 39: 3631, 42: 3832, 45: 1154,
    48: 2820, 51: 3543, 54: 1703, 57: 3503,
}  # fmt: skip
"""Vertices near some of the 68 landmarks, in FLAME's vertex order; from a list published with SAiD (Apache-2.0)."""


@dataclass(frozen=True, eq=False)
class FlameArrays:
    """Arrays of a FLAME file, in double precision."""

    template: Float[np.ndarray, "vertices 3"]
    identity: Float[np.ndarray, "vertices 3 n_betas"]
    expression: Float[np.ndarray, "vertices 3 n_expression"]
    pose: Float[np.ndarray, "vertices 3 36"]
    joint_regressor: Float[np.ndarray, "5 vertices"]
    skin_weights: Float[np.ndarray, "vertices 5"]
    faces: Int[np.ndarray, "faces 3"]


@dataclass(frozen=True, eq=False)
class Embedding:
    """Points on the mesh as in published landmark files: a triangle index and barycentric coordinates."""

    faces: Int[np.ndarray, "*points"]
    barycentric: Float[np.ndarray, "*points 3"]


@dataclass(frozen=True, eq=False)
class FlameExtras:
    """Optional files beside a FLAME file; what is missing is computed."""

    landmarks: Embedding | None = None
    """All 68 landmarks, or the 51 without the jaw line."""
    contour: Embedding | None = None
    """The jaw line for each degree of yaw, (79, 17)."""
    mediapipe: Embedding | None = None
    mediapipe_ids: Int[np.ndarray, " points"] | None = None
    masks: Mapping[str, Int[np.ndarray, " members"]] = field(default_factory=dict)
    """Vertex sets under their published names."""


def bare_flame(arrays: FlameArrays) -> BareMesh:
    """Return the mesh with the places known on every mesh in FLAME's vertex order."""
    if len(arrays.template) != NUM_VERTICES:
        raise ValueError(f"a FLAME mesh has {NUM_VERTICES} vertices, not {len(arrays.template)}")
    left, right = (np.flatnonzero(arrays.skin_weights[:, joint] > 0.5) for joint in (LEFT_EYE, RIGHT_EYE))
    return BareMesh(
        template=arrays.template,
        faces=arrays.faces,
        skin=np.setdiff1d(np.arange(NUM_VERTICES), np.concatenate([left, right])),
        landmarks={number: arrays.template[vertex] for number, vertex in LANDMARK_VERTICES.items()},
        left_eye=fit_eyeball(arrays.template, left),
        right_eye=fit_eyeball(arrays.template, right),
    )


def flame_assets(
    name: str,
    arrays: FlameArrays,
    annotations: Annotations,
    extras: FlameExtras | None = None,
    meta: Mapping[str, Any] | None = None,
) -> HeadAssets:
    """Build facetalk's head from FLAME.

    Args:
        name: name by which motions refer to the head.
        arrays: the model.
        annotations: points, regions and colors, used where `extras` lack them.
        extras: published points and masks.
        meta: notes to keep.
    """
    extras = extras or FlameExtras()
    identity, expression = arrays.identity.transpose(2, 0, 1), arrays.expression.transpose(2, 0, 1)
    landmarks = _landmarks(arrays, annotations, extras)
    mediapipe, ids = _mediapipe(arrays, annotations, extras)
    limits = torch.tensor([-EXPRESSION_LIMIT, EXPRESSION_LIMIT])
    lid, rim = mouth_lid(arrays) if len(arrays.template) == NUM_VERTICES else (arrays.faces[:0], arrays.faces[:0, 0])
    faces = torch.from_numpy(np.concatenate([arrays.faces, lid]).astype(np.int64))
    colors = annotations.colors.copy()
    colors[rim] = _MOUTH_COLOR
    return HeadAssets(
        name=name,
        shape=HeadShape(
            template=float_tensor(arrays.template),
            identity_dirs=float_tensor(identity),
            identity_names=tuple(f"shape{i:03d}" for i in range(len(identity))),
            expression_dirs=float_tensor(expression),
            expression_names=tuple(f"exp{i:03d}" for i in range(len(expression))),
            faces=faces,
            joints=float_tensor(arrays.joint_regressor @ arrays.template),
            joint_identity_dirs=float_tensor(arrays.joint_regressor @ identity),
            joint_expression_dirs=float_tensor(arrays.joint_regressor @ expression),
            skin_weights=float_tensor(arrays.skin_weights),
            pose_dirs=float_tensor(arrays.pose.transpose(2, 0, 1)),
            expression_bounds=limits.repeat(len(expression), 1),
        ),
        points=HeadPoints(
            landmarks=landmarks,
            contour=_contour(arrays, annotations, extras, landmarks),
            mediapipe=mediapipe,
            mediapipe_ids=torch.from_numpy(ids.astype(np.int64)),
            regions={key: torch.from_numpy(value) for key, value in _regions(annotations, extras).items()},
        ),
        appearance=HeadAppearance(
            colors=float_tensor(colors),
            gloss=float_tensor(annotations.gloss),
            uv_coords=float_tensor(_cylinder(arrays.template)),
            uv_faces=faces,
        ),
        meta=dict(meta or {}),
    )


def mouth_lid(arrays: FlameArrays) -> tuple[Int[np.ndarray, "lid 3"], Int[np.ndarray, " rim"]]:
    """Triangles that close the mesh behind the lips, and the vertices around the hole.

    FLAME has no inside of the mouth: the skin ends a centimeter behind the lips, and an open mouth would show the
    background. The triangles join the upper and the lower edge of the hole from one corner to the other.
    """
    edges = np.concatenate([arrays.faces[:, [0, 1]], arrays.faces[:, [1, 2]], arrays.faces[:, [2, 0]]])
    known = set(map(tuple, edges.tolist()))
    following = {b: a for a, b in known if (b, a) not in known}  # the lid's edges run opposite to the skin's
    upper_lip, _ = IBUG_OUTER_LIP_CENTERS
    lip = arrays.template[LANDMARK_VERTICES[upper_lip]]
    start = min(following, key=lambda vertex: float(np.linalg.norm(arrays.template[vertex] - lip)), default=None)
    if start is None:
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    rim = [start]
    while following.get(rim[-1], start) != start and len(rim) <= len(following):
        rim.append(following[rim[-1]])
    corner = int(np.argmin(arrays.template[rim, 0]))
    rim = rim[corner:] + rim[:corner]
    lid, low, high = [], 0, len(rim) - 1
    while high - low > 1:  # a triangle strip that advances on both sides in turn
        lid.append((rim[low], rim[low + 1], rim[high]))
        low += 1
        if high - low > 1:
            lid.append((rim[low], rim[high - 1], rim[high]))
            high -= 1
    return np.array(lid, np.int64).reshape(-1, 3), np.array(rim, np.int64)


def _landmarks(arrays: FlameArrays, annotations: Annotations, extras: FlameExtras) -> SurfacePoints:
    """Published landmarks, completed with transferred ones."""
    triangles, weights = annotations.landmark_triangles, annotations.landmark_barycentric
    if extras.landmarks is not None:
        published, shares = arrays.faces[extras.landmarks.faces], extras.landmarks.barycentric
        kept = NUM_IBUG - len(published)
        triangles = np.concatenate([triangles[:kept], published])
        weights = np.concatenate([weights[:kept], shares])
        if kept and extras.contour is not None:
            triangles[:kept] = arrays.faces[extras.contour.faces[0]]
            weights[:kept] = extras.contour.barycentric[0]
    return SurfacePoints.from_arrays(triangles, weights)


def _contour(
    arrays: FlameArrays, annotations: Annotations, extras: FlameExtras, landmarks: SurfacePoints
) -> ContourPoints:
    """The published sliding jaw line, or one computed from the mesh."""
    if extras.contour is not None:
        triangles, weights = arrays.faces[extras.contour.faces], extras.contour.barycentric
    else:
        on = landmarks.on(float_tensor(arrays.template)).numpy()
        # The back of the head and the ears are not part of the jaw line.
        face = np.setdiff1d(annotations.regions["skin"], annotations.regions["neck"])
        place = arrays.template[face]
        front = place[:, 2] > min(on[IBUG_JAWLINE[0], 2], on[IBUG_JAWLINE[-1], 2]) - 0.005
        low = place[:, 1] < on[IBUG_NASION, 1] + 0.01
        vertices = sliding_contour(arrays.template, face[front & low], on)
        triangles = np.repeat(vertices[..., None], 3, -1)
        weights = np.eye(3)[np.zeros(vertices.shape, np.int64)]
    return ContourPoints(torch.from_numpy(triangles.astype(np.int64)), float_tensor(weights))


def _mediapipe(arrays: FlameArrays, annotations: Annotations, extras: FlameExtras) -> tuple[SurfacePoints, np.ndarray]:
    """MediaPipe's points, published ones where they exist, and their indices."""
    triangles, weights = annotations.mediapipe_triangles.copy(), annotations.mediapipe_barycentric.copy()
    if extras.mediapipe is not None and extras.mediapipe_ids is not None:
        triangles[extras.mediapipe_ids] = arrays.faces[extras.mediapipe.faces]
        weights[extras.mediapipe_ids] = extras.mediapipe.barycentric
    return SurfacePoints.from_arrays(triangles, weights), np.arange(len(triangles))


def _regions(annotations: Annotations, extras: FlameExtras) -> dict[str, np.ndarray]:
    """Published masks where they mean the same, transferred regions elsewhere."""
    masks = {name: np.asarray(members, np.int64) for name, members in extras.masks.items()}
    regions = dict(annotations.regions)
    for name, parts in (
        ("lips", ("lips",)),
        ("neck", ("neck",)),
        ("upper_face", ("forehead", "left_eye_region", "right_eye_region")),
        ("left_eyeball", ("left_eyeball",)),
        ("right_eyeball", ("right_eyeball",)),
    ):
        if all(part in masks for part in parts):
            regions[name] = np.unique(np.concatenate([masks[part] for part in parts]))
    return regions


def _cylinder(template: np.ndarray) -> np.ndarray:
    """Cylindrical texture coordinates, as FLAME files have none."""
    around = np.arctan2(template[:, 0], template[:, 2] - template[:, 2].mean()) / (2 * np.pi) + 0.5
    low, high = template[:, 1].min(), template[:, 1].max()
    return np.stack([around, (template[:, 1] - low) / (high - low)], 1)
