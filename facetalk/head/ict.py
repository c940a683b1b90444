"""ICT-FaceKit Light (Li et al. 2020, MIT): shapes under ARKit's names, rotating eyeballs, a jaw.

The publisher provides a table of parts. The rest was measured on the mesh: centers and gaze of the eyeballs at rest
(sphere and pupil), and the hinge around which `jawOpen` turns the lower teeth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from facetalk.core.landmarks import IBUG_BROWS, NUM_IBUG
from facetalk.head.annotations import Annotations
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.bare_mesh import BareMesh, Eyeball
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.surface_points import SurfacePoints, float_tensor

NUM_VERTICES = 26719
METERS = 0.01
"""One of the model's centimeters."""

# fmt: off
PARTS = {
    "face": (0, 9409), "head": (9409, 11248), "mouth_socket": (11248, 13294), "left_eye_socket": (13294, 13678),
    "right_eye_socket": (13678, 14062), "gums_tongue": (14062, 17039), "upper_teeth": (17039, 19247),
    "lower_teeth": (19247, 21451), "left_eyeball": (21451, 23021), "right_eyeball": (23021, 24591),
}
"""Vertex ranges in the publisher's order. Lacrimal fluid, eye blend, occlusion and lashes follow; they are omitted,
because they need transparency."""

LANDMARK_VERTICES = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493, 1914,
    2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537,
    1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957,
    5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)
"""The publisher's vertices for the 68 iBUG points."""
# fmt: on

_LEFT_EYE_CENTER_CM = (3.1097794, 3.6046908, 7.899548)
_LEFT_GAZE = (0.11615561, 0.00769329, 0.99320126)
_JAW_PIVOT_CM = (0.0, -0.55, 1.82)
_JAW_OPEN_RAD = np.radians(25.33)
_NECK_CM, _ROOT_CM = (0.0, -8.5, -2.0), (0.0, -14.0, -2.5)
_CLOSING = 0.03
"""Weight of the model's own `mouthClose` at which its lips meet at rest. As published they are 0.8 mm apart, and the
teeth show as a white line whenever a motion closes the mouth."""
_GUM = (0.62, 0.30, 0.30)
_TEETH = (0.90, 0.87, 0.80)
_WET = (0.5, 50.0)


@dataclass(frozen=True, eq=False)
class IctArrays:
    """Arrays of the publisher's files. Centimeters."""

    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    uv_coords: Float[np.ndarray, "uvs 2"]
    uv_faces: Int[np.ndarray, "faces 3"]
    expression_names: tuple[str, ...]
    """As published, with `_L` and `_R` for sides."""
    expression: Float[np.ndarray, "shapes vertices 3"]
    identity: Float[np.ndarray, "n_betas vertices 3"]


@dataclass(frozen=True, eq=False)
class IctHead:
    """The opaque parts, in meters, with the eyes looking straight ahead."""

    bare: BareMesh
    expression: Float[np.ndarray, "52 vertices 3"]
    identity: Float[np.ndarray, "n_betas vertices 3"]
    uv_coords: Float[np.ndarray, "uvs 2"]
    uv_faces: Int[np.ndarray, "faces 3"]


def arkit_shapes(arrays: IctArrays) -> Float[np.ndarray, "52 vertices 3"]:
    """Displacement of each ARKit channel: the sum of both halves where ICT has two, zero for `tongueOut`."""
    row = {name: index for index, name in enumerate(arrays.expression_names)}
    shapes = np.zeros((len(ARKIT_NAMES), *arrays.vertices.shape), np.float32)
    for index, name in enumerate(ARKIT_NAMES):
        stem = name.removesuffix("Left").removesuffix("Right")
        if name in row:
            shapes[index] = arrays.expression[row[name]]
        elif f"{name}_L" in row:
            shapes[index] = arrays.expression[row[f"{name}_L"]] + arrays.expression[row[f"{name}_R"]]
        elif name != "tongueOut":
            shapes[index] = arrays.expression[row[f"{stem}_{name[len(stem)]}"]]
    return shapes


def drawn_head(arrays: IctArrays) -> IctHead:
    """Drop what needs transparency, turn the eyeballs straight ahead, close the lips, convert to meters."""
    kept = PARTS["right_eyeball"][1]
    faces = np.flatnonzero((arrays.faces < kept).all(1))
    shapes = arkit_shapes(arrays)[:, :kept] * np.float32(METERS)
    template = arrays.vertices[:kept] * METERS + _CLOSING * shapes[ARKIT_NAMES.index("mouthClose")]
    identity = arrays.identity[:, :kept].astype(np.float32) * np.float32(METERS)
    eyes = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        center = np.array(_LEFT_EYE_CENTER_CM) * [sign, 1, 1] * METERS
        rest = Eyeball(_part(f"{side}_eyeball"), center, np.array(_LEFT_GAZE) * [sign, 1, 1])
        template[rest.members] = (template[rest.members] - center) @ rest.basis.T + center
        identity[:, rest.members] = identity[:, rest.members] @ rest.basis.T.astype(np.float32)
        eyes[side] = Eyeball(rest.members, center, np.array([0.0, 0.0, 1.0]))
    # The publisher's brow points lie on the upper edge of a hairless brow. Brows painted there sit 2 mm too high, and
    # MediaPipe then sees the brows of every fit above those of the person.
    landmarks = {index: template[vertex] for index, vertex in enumerate(LANDMARK_VERTICES) if index not in IBUG_BROWS}
    skin = np.concatenate([_part("face"), _part("head")])
    bare = BareMesh(template, arrays.faces[faces], skin, landmarks, eyes["left"], eyes["right"])
    return IctHead(bare, shapes, identity, arrays.uv_coords, arrays.uv_faces[faces])


def ict_assets(name: str, head: IctHead, annotations: Annotations, meta: Mapping[str, Any] | None = None) -> HeadAssets:
    """Build facetalk's head from ICT-FaceKit.

    Args:
        name: name by which motions refer to the head.
        head: the opaque parts.
        annotations: points, regions and colors, which the published files lack.
        meta: notes to keep.
    """
    template = head.bare.template
    corners = np.repeat(np.array(LANDMARK_VERTICES)[:, None], 3, 1)
    weights = np.eye(3)[np.zeros(NUM_IBUG, np.int64)]
    joints = _joints(head.bare)
    joint_identity = np.zeros((len(head.identity), 5, 3))
    for joint, eye in ((3, head.bare.left_eye), (4, head.bare.right_eye)):
        joint_identity[:, joint] = head.identity[:, eye.members].mean(1)
    regions = dict(annotations.regions) | _inner_parts(head)
    colors, gloss = _painted(annotations, regions)
    return HeadAssets(
        name=name,
        shape=HeadShape(
            template=float_tensor(template),
            identity_dirs=float_tensor(head.identity),
            identity_names=tuple(f"identity{i:03d}" for i in range(len(head.identity))),
            expression_dirs=float_tensor(head.expression),
            expression_names=ARKIT_NAMES,
            faces=torch.from_numpy(head.bare.faces.astype(np.int64)),
            joints=float_tensor(joints),
            joint_identity_dirs=float_tensor(joint_identity),
            skin_weights=float_tensor(_skin_weights(head, joints)),
        ),
        points=HeadPoints(
            landmarks=SurfacePoints.from_arrays(corners, weights),
            mediapipe=SurfacePoints.from_arrays(annotations.mediapipe_triangles, annotations.mediapipe_barycentric),
            mediapipe_ids=torch.arange(len(annotations.mediapipe_triangles)),
            regions={key: torch.from_numpy(members.astype(np.int64)) for key, members in regions.items()},
        ),
        appearance=HeadAppearance(
            colors=float_tensor(colors),
            gloss=float_tensor(gloss),
            uv_coords=float_tensor(head.uv_coords),
            uv_faces=torch.from_numpy(head.uv_faces.astype(np.int64)),
        ),
        meta=dict(meta or {}),
    )


def _part(name: str) -> np.ndarray:
    return np.arange(*PARTS[name])


def _joints(bare: BareMesh) -> np.ndarray:
    fixed = np.array([_ROOT_CM, _NECK_CM, _JAW_PIVOT_CM]) * METERS
    return np.concatenate([fixed, [bare.left_eye.center, bare.right_eye.center]])


def _jaw_share(head: IctHead) -> np.ndarray:
    """Share of the jaw's rotation that each vertex follows, estimated from `jawOpen`."""
    moved = np.linalg.norm(head.expression[ARKIT_NAMES.index("jawOpen")], axis=1)
    arm = np.linalg.norm((head.bare.template - np.array(_JAW_PIVOT_CM) * METERS)[:, 1:], axis=1)
    rigid = 2 * np.sin(_JAW_OPEN_RAD / 2) * arm
    share = np.clip(moved / np.maximum(rigid, 1e-6), 0, 1)
    share[_part("lower_teeth")] = 1
    share[_part("upper_teeth")] = 0
    return share


def _skin_weights(head: IctHead, joints: np.ndarray) -> np.ndarray:
    template = head.bare.template
    low, high = joints[0, 1] + 0.02, joints[1, 1]
    turning = np.clip((template[:, 1] - low) / (high - low), 0, 1)
    turning = turning * turning * (3 - 2 * turning)
    jaw = _jaw_share(head) * turning
    weights = np.stack([1 - turning, turning - jaw, jaw, np.zeros_like(jaw), np.zeros_like(jaw)], 1)
    weights[head.bare.left_eye.members] = [0, 0, 0, 1, 0]
    weights[head.bare.right_eye.members] = [0, 0, 0, 0, 1]
    return weights


def _inner_parts(head: IctHead) -> dict[str, np.ndarray]:
    """Teeth with their gums, and the tongue: the inner part of what moves with the lower jaw."""
    soft = _part("gums_tongue")
    moves = _jaw_share(head)[soft] > 0.5
    place = head.bare.template[soft]
    teeth = head.bare.template[_part("lower_teeth")]
    # The lower teeth stand around the tongue; gums lie within a few millimeters of them.
    from scipy.spatial import KDTree

    near = KDTree(teeth).query(place)[0] < 0.006
    return {
        "upper_teeth": np.concatenate([_part("upper_teeth"), soft[~moves]]),
        "lower_teeth": np.concatenate([_part("lower_teeth"), soft[moves & near]]),
        "tongue": soft[moves & ~near],
    }


def _painted(annotations: Annotations, regions: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    colors, gloss = annotations.colors.copy(), annotations.gloss.copy()
    inside = np.concatenate([_part("mouth_socket"), _part("gums_tongue")])
    colors[inside], gloss[inside] = _GUM, _WET
    colors[_part("mouth_socket")] = np.array(_GUM) * 0.5
    colors[regions["tongue"]] = np.array(_GUM) * [1.1, 0.95, 0.95]
    for name in ("upper_teeth", "lower_teeth"):
        colors[_part(name)], gloss[_part(name)] = _TEETH, _WET
    for side in ("left", "right"):
        colors[_part(f"{side}_eye_socket")] = (0.70, 0.45, 0.42)
    return colors, gloss
