"""FLAME (Li et al. 2017) as a head: the published arrays in the form of `HeadAssets`.

Names and shapes of the arrays are those of the published files: `v_template` (V, 3), `shapedirs` (V, 3, identity and
expression), `posedirs` (V, 3, 36), `J_regressor` (5, V), `weights` (V, 5), `kintree_table` (2, 5), `f` (F, 3). Joints
are regressed from the shaped head, expression included, as published layers do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from facetalk.core.landmarks import IBUG_JAWLINE, IBUG_NASION, NUM_IBUG
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.contour import sliding_contour
from facetalk.head.dressing import BareHead, Dress, eyeball
from facetalk.head.surface_points import ContourPoints, SurfacePoints

NUM_VERTICES = 5023
NUM_IDENTITY = 300
"""Identity comes first in `shapedirs`; what follows is expression."""
NUM_POSE_FEATURES = 36
LEFT_EYE, RIGHT_EYE = 3, 4
EXPRESSION_LIMIT = 4.0
"""Largest sensible expression coefficient, in standard deviations."""

_MOUTH_COLOR = (0.16, 0.07, 0.07)

MARKS = {
    8: 3414, 27: 3560, 30: 3564, 31: 2751, 33: 3556, 35: 1623, 36: 2428, 39: 3631, 42: 3832, 45: 1154,
    48: 2820, 51: 3543, 54: 1703, 57: 3503,
}  # fmt: skip
"""Vertices near some of the 68 landmarks, for meshes in FLAME's order; from a list published with SAiD (Apache-2.0)."""


@dataclass(frozen=True, eq=False)
class FlameArrays:
    """What a FLAME file holds, in double precision."""

    template: Float[np.ndarray, "vertices 3"]
    identity: Float[np.ndarray, "vertices 3 n_betas"]
    expression: Float[np.ndarray, "vertices 3 n_expression"]
    pose: Float[np.ndarray, "vertices 3 36"]
    joint_regressor: Float[np.ndarray, "5 vertices"]
    skin_weights: Float[np.ndarray, "vertices 5"]
    faces: Int[np.ndarray, "faces 3"]


@dataclass(frozen=True, eq=False)
class Embedding:
    """Points on the mesh as published landmark files give them: a triangle's number and where in it."""

    faces: Int[np.ndarray, "*points"]
    barycentric: Float[np.ndarray, "*points 3"]


@dataclass(frozen=True, eq=False)
class FlameExtras:
    """What may lie beside a FLAME file; each part is computed where it is missing."""

    landmarks: Embedding | None = None
    """All 68, or the 51 without the jaw line."""
    contour: Embedding | None = None
    """(79, 17): the jaw line for each degree of yaw."""
    mediapipe: Embedding | None = None
    mediapipe_ids: Int[np.ndarray, " points"] | None = None
    masks: Mapping[str, Int[np.ndarray, " members"]] = field(default_factory=dict)
    """Vertex sets under their published names."""


def bare_flame(arrays: FlameArrays) -> BareHead:
    """The places that are known on every mesh in FLAME's order."""
    if len(arrays.template) != NUM_VERTICES:
        raise ValueError(f"a FLAME mesh has {NUM_VERTICES} vertices, not {len(arrays.template)}")
    left, right = (np.flatnonzero(arrays.skin_weights[:, joint] > 0.5) for joint in (LEFT_EYE, RIGHT_EYE))
    return BareHead(
        template=arrays.template,
        faces=arrays.faces,
        skin=np.setdiff1d(np.arange(NUM_VERTICES), np.concatenate([left, right])),
        marks={number: arrays.template[vertex] for number, vertex in MARKS.items()},
        left_eye=eyeball(arrays.template, left),
        right_eye=eyeball(arrays.template, right),
    )


def flame_assets(
    name: str,
    arrays: FlameArrays,
    dress: Dress,
    extras: FlameExtras | None = None,
    meta: Mapping[str, Any] | None = None,
) -> HeadAssets:
    """FLAME with everything that facetalk wants of a head.

    Args:
        name: by which motions refer to it.
        arrays: the model.
        dress: points, regions and colours, for what `extras` lack.
        extras: published points and masks.
        meta: notes to keep.
    """
    extras = extras or FlameExtras()
    identity, expression = arrays.identity.transpose(2, 0, 1), arrays.expression.transpose(2, 0, 1)
    landmarks = _landmarks(arrays, dress, extras)
    mediapipe, ids = _mediapipe(arrays, dress, extras)
    limits = torch.tensor([-EXPRESSION_LIMIT, EXPRESSION_LIMIT])
    lid, rim = mouth_lid(arrays) if len(arrays.template) == NUM_VERTICES else (arrays.faces[:0], arrays.faces[:0, 0])
    faces = torch.from_numpy(np.concatenate([arrays.faces, lid]).astype(np.int64))
    colors = dress.colors.copy()
    colors[rim] = _MOUTH_COLOR
    return HeadAssets(
        name=name,
        shape=HeadShape(
            template=_tensor(arrays.template),
            identity_dirs=_tensor(identity),
            identity_names=tuple(f"shape{i:03d}" for i in range(len(identity))),
            expression_dirs=_tensor(expression),
            expression_names=tuple(f"exp{i:03d}" for i in range(len(expression))),
            faces=faces,
            joints=_tensor(arrays.joint_regressor @ arrays.template),
            joint_identity_dirs=_tensor(arrays.joint_regressor @ identity),
            joint_expression_dirs=_tensor(arrays.joint_regressor @ expression),
            skin_weights=_tensor(arrays.skin_weights),
            pose_dirs=_tensor(arrays.pose.transpose(2, 0, 1)),
            expression_bounds=limits.repeat(len(expression), 1),
        ),
        points=HeadPoints(
            landmarks=landmarks,
            contour=_contour(arrays, dress, extras, landmarks),
            mediapipe=mediapipe,
            mediapipe_ids=torch.from_numpy(ids.astype(np.int64)),
            regions={key: torch.from_numpy(value) for key, value in _regions(dress, extras).items()},
        ),
        appearance=HeadAppearance(
            colors=_tensor(colors),
            gloss=_tensor(dress.gloss),
            uv_coords=_tensor(_cylinder(arrays.template)),
            uv_faces=faces,
        ),
        meta=dict(meta or {}),
    )


def mouth_lid(arrays: FlameArrays) -> tuple[Int[np.ndarray, "lid 3"], Int[np.ndarray, " rim"]]:
    """Triangles that close the mesh behind the lips, and the vertices around the hole.

    FLAME has no inside of a mouth: the skin ends a centimetre behind the lips, and an opened mouth would show what lies
    behind the head. The hole's upper and lower edge are joined from one corner to the other.
    """
    edges = np.concatenate([arrays.faces[:, [0, 1]], arrays.faces[:, [1, 2]], arrays.faces[:, [2, 0]]])
    known = set(map(tuple, edges.tolist()))
    following = {b: a for a, b in known if (b, a) not in known}  # the lid runs against the skin's own edges
    lip = arrays.template[MARKS[51]]
    start = min(following, key=lambda vertex: float(np.linalg.norm(arrays.template[vertex] - lip)), default=None)
    if start is None:
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    rim = [start]
    while following.get(rim[-1], start) != start and len(rim) <= len(following):
        rim.append(following[rim[-1]])
    corner = int(np.argmin(arrays.template[rim, 0]))
    rim = rim[corner:] + rim[:corner]
    lid, low, high = [], 0, len(rim) - 1
    while high - low > 1:  # a strip: a step forward on one side, then a step back on the other
        lid.append((rim[low], rim[low + 1], rim[high]))
        low += 1
        if high - low > 1:
            lid.append((rim[low], rim[high - 1], rim[high]))
            high -= 1
    return np.array(lid, np.int64).reshape(-1, 3), np.array(rim, np.int64)


def _landmarks(arrays: FlameArrays, dress: Dress, extras: FlameExtras) -> SurfacePoints:
    triangles, weights = dress.landmark_triangles, dress.landmark_barycentric
    if extras.landmarks is not None:
        published, shares = arrays.faces[extras.landmarks.faces], extras.landmarks.barycentric
        kept = NUM_IBUG - len(published)
        triangles = np.concatenate([triangles[:kept], published])
        weights = np.concatenate([weights[:kept], shares])
        if kept and extras.contour is not None:
            triangles[:kept] = arrays.faces[extras.contour.faces[0]]
            weights[:kept] = extras.contour.barycentric[0]
    return SurfacePoints(torch.from_numpy(triangles.astype(np.int64)), _tensor(weights))


def _contour(arrays: FlameArrays, dress: Dress, extras: FlameExtras, landmarks: SurfacePoints) -> ContourPoints:
    if extras.contour is not None:
        triangles, weights = arrays.faces[extras.contour.faces], extras.contour.barycentric
    else:
        on = landmarks.on(_tensor(arrays.template)).numpy()
        # The back of the head and the ears are no jaw line.
        face = np.setdiff1d(dress.regions["skin"], dress.regions["neck"])
        place = arrays.template[face]
        front = place[:, 2] > min(on[IBUG_JAWLINE[0], 2], on[IBUG_JAWLINE[-1], 2]) - 0.005
        low = place[:, 1] < on[IBUG_NASION, 1] + 0.01
        vertices = sliding_contour(arrays.template, face[front & low], on)
        triangles = np.repeat(vertices[..., None], 3, -1)
        weights = np.eye(3)[np.zeros(vertices.shape, np.int64)]
    return ContourPoints(torch.from_numpy(triangles.astype(np.int64)), _tensor(weights))


def _mediapipe(arrays: FlameArrays, dress: Dress, extras: FlameExtras) -> tuple[SurfacePoints, np.ndarray]:
    triangles, weights = dress.mediapipe_triangles.copy(), dress.mediapipe_barycentric.copy()
    if extras.mediapipe is not None and extras.mediapipe_ids is not None:
        triangles[extras.mediapipe_ids] = arrays.faces[extras.mediapipe.faces]
        weights[extras.mediapipe_ids] = extras.mediapipe.barycentric
    return SurfacePoints(torch.from_numpy(triangles.astype(np.int64)), _tensor(weights)), np.arange(len(triangles))


def _regions(dress: Dress, extras: FlameExtras) -> dict[str, np.ndarray]:
    """Published masks where they mean the same, computed regions elsewhere."""
    masks = {name: np.asarray(members, np.int64) for name, members in extras.masks.items()}
    regions = dict(dress.regions)
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
    """Texture coordinates around the head, where a file has none."""
    around = np.arctan2(template[:, 0], template[:, 2] - template[:, 2].mean()) / (2 * np.pi) + 0.5
    low, high = template[:, 1].min(), template[:, 1].max()
    return np.stack([around, (template[:, 1] - low) / (high - low)], 1)


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
