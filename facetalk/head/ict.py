"""ICT-FaceKit Light (Li et al. 2020, MIT) as a head: its shapes under ARKit's names, eyeballs that turn, a jaw.

What is known of the mesh beyond the publisher's table of parts was measured on it: eyeballs' centres and directions at
rest (sphere and pupil), the hinge about which `jawOpen` turns the lower teeth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from facetalk.core.landmarks import IBUG_BROWS
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.dressing import BareHead, Dress, Eyeball
from facetalk.head.surface_points import SurfacePoints

NUM_VERTICES = 26719
METRES = 0.01
"""One of the model's centimetres."""

# fmt: off
PARTS = {
    "face": (0, 9409), "head": (9409, 11248), "mouth_socket": (11248, 13294), "left_eye_socket": (13294, 13678),
    "right_eye_socket": (13678, 14062), "gums_tongue": (14062, 17039), "upper_teeth": (17039, 19247),
    "lower_teeth": (19247, 21451), "left_eyeball": (21451, 23021), "right_eyeball": (23021, 24591),
}
"""Vertex ranges in the publisher's order; lacrimal fluid, eye blend, occlusion and lashes follow and are left out,
because they need transparency."""

LANDMARKS68 = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493, 1914,
    2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537,
    1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957,
    5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)
"""The publisher's vertices of the 68 iBUG points."""
# fmt: on

_LEFT_EYE_CENTRE_CM = (3.1097794, 3.6046908, 7.899548)
_LEFT_GAZE = (0.11615561, 0.00769329, 0.99320126)
_JAW_PIVOT_CM = (0.0, -0.55, 1.82)
_JAW_OPEN_RAD = np.radians(25.33)
_NECK_CM, _ROOT_CM = (0.0, -8.5, -2.0), (0.0, -14.0, -2.5)
_CLOSING = 0.03
"""Share of the model's own `mouthClose` that makes its lips meet at rest: as published they are 0.8 mm apart, and the
teeth show as a white line whenever a performance closes the mouth."""
_GUM = (0.62, 0.30, 0.30)
_TEETH = (0.90, 0.87, 0.80)
_WET = (0.5, 50.0)


@dataclass(frozen=True, eq=False)
class IctArrays:
    """What the publisher's files hold, in centimetres."""

    vertices: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    uv_coords: Float[np.ndarray, "uvs 2"]
    uv_faces: Int[np.ndarray, "faces 3"]
    expression_names: tuple[str, ...]
    """As published: `_L` and `_R` for sides."""
    expression: Float[np.ndarray, "shapes vertices 3"]
    identity: Float[np.ndarray, "n_betas vertices 3"]


@dataclass(frozen=True, eq=False)
class IctHead:
    """The parts that are drawn, in metres, with the eyes looking straight ahead."""

    bare: BareHead
    expression: Float[np.ndarray, "52 vertices 3"]
    identity: Float[np.ndarray, "n_betas vertices 3"]
    uv_coords: Float[np.ndarray, "uvs 2"]
    uv_faces: Int[np.ndarray, "faces 3"]


def arkit_shapes(arrays: IctArrays) -> Float[np.ndarray, "52 vertices 3"]:
    """Displacement of each ARKit channel: both halves together where ICT has two, nothing for `tongueOut`."""
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
    """Leave out what needs transparency, turn the eyeballs to look straight ahead, close the lips, change to metres."""
    kept = PARTS["right_eyeball"][1]
    faces = np.flatnonzero((arrays.faces < kept).all(1))
    shapes = arkit_shapes(arrays)[:, :kept] * np.float32(METRES)
    template = arrays.vertices[:kept] * METRES + _CLOSING * shapes[ARKIT_NAMES.index("mouthClose")]
    identity = arrays.identity[:, :kept].astype(np.float32) * np.float32(METRES)
    eyes = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        centre = np.array(_LEFT_EYE_CENTRE_CM) * [sign, 1, 1] * METRES
        rest = Eyeball(_part(f"{side}_eyeball"), centre, np.array(_LEFT_GAZE) * [sign, 1, 1])
        template[rest.members] = (template[rest.members] - centre) @ rest.basis.T + centre
        identity[:, rest.members] = identity[:, rest.members] @ rest.basis.T.astype(np.float32)
        eyes[side] = Eyeball(rest.members, centre, np.array([0.0, 0.0, 1.0]))
    # The publisher's brow points lie on the upper edge of a brow without hair: brows painted there sit 2 mm too high,
    # and MediaPipe then sees the brows of every fit above those of the person.
    marks = {number: template[vertex] for number, vertex in enumerate(LANDMARKS68) if number not in IBUG_BROWS}
    skin = np.concatenate([_part("face"), _part("head")])
    bare = BareHead(template, arrays.faces[faces], skin, marks, eyes["left"], eyes["right"])
    return IctHead(bare, shapes, identity, arrays.uv_coords, arrays.uv_faces[faces])


def ict_assets(name: str, head: IctHead, dress: Dress, meta: Mapping[str, Any] | None = None) -> HeadAssets:
    """ICT-FaceKit with everything that facetalk wants of a head."""
    template = head.bare.template
    corners = np.repeat(np.array(LANDMARKS68)[:, None], 3, 1)
    weights = np.eye(3)[np.zeros(68, np.int64)]
    joints = _joints(head.bare)
    joint_identity = np.zeros((len(head.identity), 5, 3))
    for joint, eye in ((3, head.bare.left_eye), (4, head.bare.right_eye)):
        joint_identity[:, joint] = head.identity[:, eye.members].mean(1)
    regions = dict(dress.regions) | _inner_parts(head)
    colors, gloss = _painted(dress, regions)
    return HeadAssets(
        name=name,
        shape=HeadShape(
            template=_tensor(template),
            identity_dirs=_tensor(head.identity),
            identity_names=tuple(f"identity{i:03d}" for i in range(len(head.identity))),
            expression_dirs=_tensor(head.expression),
            expression_names=ARKIT_NAMES,
            faces=torch.from_numpy(head.bare.faces.astype(np.int64)),
            joints=_tensor(joints),
            joint_identity_dirs=_tensor(joint_identity),
            skin_weights=_tensor(_skin_weights(head, joints)),
        ),
        points=HeadPoints(
            landmarks=SurfacePoints(torch.from_numpy(corners), _tensor(weights)),
            mediapipe=SurfacePoints(torch.from_numpy(dress.mediapipe_triangles), _tensor(dress.mediapipe_barycentric)),
            mediapipe_ids=torch.arange(len(dress.mediapipe_triangles)),
            regions={key: torch.from_numpy(members.astype(np.int64)) for key, members in regions.items()},
        ),
        appearance=HeadAppearance(
            colors=_tensor(colors),
            gloss=_tensor(gloss),
            uv_coords=_tensor(head.uv_coords),
            uv_faces=torch.from_numpy(head.uv_faces.astype(np.int64)),
        ),
        meta=dict(meta or {}),
    )


def _part(name: str) -> np.ndarray:
    return np.arange(*PARTS[name])


def _joints(bare: BareHead) -> np.ndarray:
    fixed = np.array([_ROOT_CM, _NECK_CM, _JAW_PIVOT_CM]) * METRES
    return np.concatenate([fixed, [bare.left_eye.centre, bare.right_eye.centre]])


def _hang_on_jaw(head: IctHead) -> np.ndarray:
    """How much of the jaw's turn each vertex follows, from what `jawOpen` does to it."""
    moved = np.linalg.norm(head.expression[ARKIT_NAMES.index("jawOpen")], axis=1)
    arm = np.linalg.norm((head.bare.template - np.array(_JAW_PIVOT_CM) * METRES)[:, 1:], axis=1)
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
    jaw = _hang_on_jaw(head) * turning
    weights = np.stack([1 - turning, turning - jaw, jaw, np.zeros_like(jaw), np.zeros_like(jaw)], 1)
    weights[head.bare.left_eye.members] = [0, 0, 0, 1, 0]
    weights[head.bare.right_eye.members] = [0, 0, 0, 0, 1]
    return weights


def _inner_parts(head: IctHead) -> dict[str, np.ndarray]:
    """Teeth with their gums, and the tongue: the inner part of what moves with the lower jaw."""
    soft = _part("gums_tongue")
    moves = _hang_on_jaw(head)[soft] > 0.5
    place = head.bare.template[soft]
    teeth = head.bare.template[_part("lower_teeth")]
    # The lower teeth stand around the tongue; gums lie within a few millimetres of them.
    from scipy.spatial import KDTree

    near = KDTree(teeth).query(place)[0] < 0.006
    return {
        "upper_teeth": np.concatenate([_part("upper_teeth"), soft[~moves]]),
        "lower_teeth": np.concatenate([_part("lower_teeth"), soft[moves & near]]),
        "tongue": soft[moves & ~near],
    }


def _painted(dress: Dress, regions: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    colors, gloss = dress.colors.copy(), dress.gloss.copy()
    inside = np.concatenate([_part("mouth_socket"), _part("gums_tongue")])
    colors[inside], gloss[inside] = _GUM, _WET
    colors[_part("mouth_socket")] = np.array(_GUM) * 0.5
    colors[regions["tongue"]] = np.array(_GUM) * [1.1, 0.95, 0.95]
    for name in ("upper_teeth", "lower_teeth"):
        colors[_part(name)], gloss[_part(name)] = _TEETH, _WET
    for side in ("left", "right"):
        colors[_part(f"{side}_eye_socket")] = (0.70, 0.45, 0.42)
    return colors, gloss


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
