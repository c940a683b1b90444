"""Characters under the names of common rigs: what is matched, what is lost, and how a motion moves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from facetalk.audio.visemes import OCULUS_VISEMES
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.correctives import corrective_weights
from facetalk.motion.avatar import AvatarPlay, head_turn, read_avatar
from facetalk.motion.avatar_bones import role_named
from facetalk.motion.visemes import viseme_expression, viseme_weights
from tests.avatars import BODY, SPELLINGS, Bone, little_avatar


def lively(num_frames: int = 4) -> Motion:
    generator = torch.Generator().manual_seed(1)
    motion = still_motion("facetalk", torch.rand(num_frames, 52, generator=generator), ARKIT_NAMES, 30.0, 0)
    rows = {
        name: 0.3 * torch.randn(num_frames, 3, generator=generator)
        for name in ("neck_pose", "global_orient", "leye_pose", "reye_pose")
    }
    return motion.replace(**rows)


def weights_of(path: Path, motion: Motion) -> dict[str, np.ndarray]:
    """Curves of the first mesh by the names of its targets."""
    avatar = read_avatar(path)
    _, weights = next(AvatarPlay(avatar, motion).weights())
    return dict(zip(avatar.shapes.meshes[0].target_names, weights.T, strict=True))


@pytest.mark.parametrize("scheme", SPELLINGS)
def test_every_spelling_gets_the_channels_themselves(scheme: str, tmp_path: Path) -> None:
    motion, spell = lively(), SPELLINGS[scheme]
    path = little_avatar(tmp_path / "a.glb", [spell(name) for name in reversed(ARKIT_NAMES)])
    found = weights_of(path, motion)
    for name in ARKIT_NAMES:
        np.testing.assert_array_equal(found[spell(name)], motion.channel(name).numpy())
    report = read_avatar(path).report
    assert (report.mouth, report.missing, len(report.channels)) == ("ARKit", (), 52)


def test_other_targets_keep_their_weights_and_correctives_get_products(tmp_path: Path) -> None:
    names = [*ARKIT_NAMES, "beard", "jawOpen_mouthFunnel", "eyeBlinkLeft_half"]

    def defaults(document: dict[str, Any]) -> None:
        document["meshes"][0]["weights"] = [0.1] * len(names)

    motion = lively()
    found = weights_of(little_avatar(tmp_path / "a.glb", names, change=defaults), motion)
    assert (found["beard"] == np.float32(0.1)).all()
    pairs = torch.tensor([[ARKIT_NAMES.index(name) for name in pair] for pair in
                          (("jawOpen", "mouthFunnel"), ("eyeBlinkLeft", "eyeBlinkLeft"))])  # fmt: skip
    expected = corrective_weights(motion.expression, pairs).numpy()
    np.testing.assert_allclose(np.stack([found[name] for name in names[-2:]], 1), expected)


def test_meshes_with_different_channels_are_all_moved(tmp_path: Path) -> None:
    path = little_avatar(tmp_path / "a.glb", mesh_names=("Face", "Teeth"))
    avatar = read_avatar(path)
    assert len(dict(AvatarPlay(avatar, lively()).weights())) == 2


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("mixamorig:Head", "head"), ("CC_Base_Head", "head"), ("J_Bip_C_Head", "head"), ("Bip001 Head", "head"),
        ("DEF-spine.006", "head"), ("CC_Base_NeckTwist01", "neck"), ("neck_01", "neck"), ("spine.004", "neck"),
        ("LeftEye", "left_eye"), ("CC_Base_L_Eye", "left_eye"), ("J_Adj_R_FaceEye", "right_eye"),
        ("FACIAL_L_Eye", "left_eye"), ("eye.R", "right_eye"), ("FACIAL_C_Jaw", "jaw"), ("CC_Base_JawRoot", "jaw"),
        ("mixamorig:HeadTop_End", None), ("CC_Base_L_Eyelash", None), ("spine05", None), ("", None),
    ],
)  # fmt: skip
def test_bones_are_known_by_the_names_of_common_rigs(name: str, role: str | None) -> None:
    assert role_named(name) == role


def world_turn(avatar: Any, rotations: dict[int, np.ndarray], node: int, frame: int) -> Rotation:
    """Rotation of a node in the world relative to rest, by scipy."""
    tree = avatar.tree

    def placed(turned: bool) -> Rotation:
        total = Rotation.identity()
        for above in reversed(tree.ancestors(node)):
            own = rotations[above][frame] if turned and above in rotations else tree.rotations[above]
            total = total * Rotation.from_quat(own)
        return total

    return placed(True) * placed(False).inv()


EYES = (
    Bone("LeftEye", "mixamorig:Head", (0.03, 0.06, 0.08)),
    Bone("RightEye", "mixamorig:Head", (-0.03, 0.06, 0.08), (0.6, 0.0, 0.8, 0.0)),
)


def test_head_and_eyes_turn_in_the_world_whatever_their_bones_axes_are(tmp_path: Path) -> None:
    motion = lively()
    hips = Bone("Hips", None, (0, 1.0, 0), (0.0, 0.7071068, 0.0, 0.7071068))
    neck = Bone("Neck", "Hips", (0, 0.5, 0), (0.5, 0.5, -0.5, 0.5))
    (head,) = bones_at((hips, neck), {"Head": (0.0, 1.6, 0.01)})
    eyes = bones_at((hips, neck, head), {"LeftEye": (0.03, 1.7, 0.09), "RightEye": (-0.03, 1.7, 0.09)})
    path = little_avatar(tmp_path / "a.glb", bones=(hips, neck, head, *eyes))
    avatar = read_avatar(path)
    rotations = dict(AvatarPlay(avatar, motion).turns())
    nodes = {role: found[-1] for role, found in avatar.bones.nodes.items()}
    assert set(nodes) == {"neck", "head", "left_eye", "right_eye"}
    for frame in range(motion.num_frames):
        head = Rotation.from_rotvec(head_turn(motion)[frame].numpy())
        assert (world_turn(avatar, rotations, nodes["head"], frame) * head.inv()).magnitude() < 1e-3
        eye = head * Rotation.from_rotvec(motion.leye_pose[frame].numpy())
        assert (world_turn(avatar, rotations, nodes["left_eye"], frame) * eye.inv()).magnitude() < 1e-3


def bones_at(bones: tuple[Bone, ...], places: dict[str, tuple[float, float, float]]) -> list[Bone]:
    """Bones below the last one, at places of the world."""
    total, origin = Rotation.identity(), np.zeros(3)
    for bone in bones:
        origin = origin + total.apply(bone.translation)
        total = total * Rotation.from_quat(bone.rotation)
    return [
        Bone(name, bones[-1].name, tuple(total.inv().apply(np.array(place) - origin).tolist()), (0.6, 0.0, 0.8, 0.0))
        for name, place in places.items()
    ]


@pytest.mark.parametrize(("z", "x", "forward", "reflected"), [
    (0.09, 0.03, (0, 0, 1), False), (-0.09, -0.03, (0, 0, -1), False), (0.09, -0.03, (0, 0, 1), True)
])  # fmt: skip
def test_the_eyes_tell_where_a_character_looks(
    z: float, x: float, forward: tuple[int, ...], reflected: bool, tmp_path: Path
) -> None:
    bones = (Bone("Neck", None, (0, 1.5, 0)), Bone("Head", "Neck", (0, 0.1, 0)))
    eyes = bones_at(bones, {"LeftEye": (x, 1.7, z), "RightEye": (-x, 1.7, z)})
    frame = read_avatar(little_avatar(tmp_path / "a.glb", bones=(*bones, *eyes))).bones.frame
    assert frame[:, 2].tolist() == list(forward)
    assert (np.linalg.det(frame) < 0) == reflected


def test_eyes_that_shapes_turn_are_not_turned_again(tmp_path: Path) -> None:
    bones = (Bone("Head", None, (0, 1.6, 0)), *EYES)
    bones = (bones[0], *(bone._replace(parent="Head") for bone in EYES))
    assert read_avatar(little_avatar(tmp_path / "a.glb", bones=bones)).report.eyes == "bones"
    report = read_avatar(little_avatar(tmp_path / "b.glb", bones=bones, mesh_names=("Head", "EyeLeft"))).report
    assert report.eyes == "shapes"


def test_a_jaw_bone_opens_a_mouth_without_shapes(tmp_path: Path) -> None:
    bones = (*BODY, Bone("Jaw", "mixamorig:Head", (0, 0.02, 0.02)))
    avatar = read_avatar(little_avatar(tmp_path / "a.glb", ["eyeBlink_L", "eyeBlink_R"], bones))
    assert (avatar.report.mouth, avatar.report.bones["jaw"]) == ("jaw bone", ("Jaw",))
    motion = lively()
    opened = motion.expression.clone()
    opened[0, ARKIT_NAMES.index("jawOpen")], opened[0, ARKIT_NAMES.index("mouthClose")] = 0.5, 0.0
    turns = dict(AvatarPlay(avatar, motion.replace(expression=opened)).turns())
    rest = avatar.tree.rotations[avatar.bones.nodes["jaw"][0]]
    turned = Rotation.from_quat(turns[avatar.bones.nodes["jaw"][0]][0]) * Rotation.from_quat(rest).inv()
    assert turned.magnitude() == pytest.approx(0.175, abs=0.08)
    shapes = read_avatar(little_avatar(tmp_path / "b.glb", bones=bones))
    assert "jaw" not in shapes.bones.nodes


@pytest.mark.parametrize("spelled", ["viseme_{}", "vrc.v_{}"])
def test_visemes_move_a_mouth_without_channels(spelled: str, tmp_path: Path) -> None:
    names = [spelled.format(name if "viseme" in spelled else name.lower()) for name in OCULUS_VISEMES]
    path = little_avatar(tmp_path / "a.glb", [*names, "eyeBlinkLeft", "eyeBlinkRight"])
    motion = lively()
    found = weights_of(path, motion)
    expected = viseme_weights(motion).numpy()
    np.testing.assert_allclose(np.stack([found[name] for name in names], 1), expected, atol=1e-6)
    np.testing.assert_array_equal(found["eyeBlinkLeft"], motion.channel("eyeBlinkLeft").numpy())
    report = read_avatar(path).report
    assert report.mouth == "Oculus visemes" and "brows" in report.lost


def test_the_channels_of_a_viseme_look_like_it() -> None:
    one = torch.eye(15)
    back = viseme_weights(still_motion("facetalk", viseme_expression(one), ARKIT_NAMES, 30.0, 0))
    distinct = [OCULUS_VISEMES.index(name) for name in ("sil", "FF", "CH", "aa", "ou")]
    assert (back.argmax(1)[distinct] == torch.tensor(distinct)).all()


def vrm1(document: dict[str, Any]) -> None:
    face = len(document["nodes"]) - 1
    preset = {name: {"morphTargetBinds": [{"node": face, "index": i, "weight": 0.5}]}
              for i, name in enumerate(("aa", "ih", "ou", "ee", "oh", "blink"))}  # fmt: skip
    bones = {"head": {"node": 2}, "neck": {"node": 1}, "hips": {"node": 0}}
    document["extensions"] = {"VRMC_vrm": {"expressions": {"preset": preset}, "humanoid": {"humanBones": bones}}}


def vrm0(document: dict[str, Any]) -> None:
    groups = [{"presetName": name, "binds": [{"mesh": 0, "index": i, "weight": 50}]}
              for i, name in enumerate(("a", "i", "u", "e", "o", "blink"))]  # fmt: skip
    bones = [{"bone": "head", "node": 2}, {"bone": "neck", "node": 1}]
    document["extensions"] = {
        "VRM": {"blendShapeMaster": {"blendShapeGroups": groups}, "humanoid": {"humanBones": bones}}
    }


@pytest.mark.parametrize("version", [vrm0, vrm1])
def test_expressions_of_vrm_move_a_mouth(version: Any, tmp_path: Path) -> None:
    bones = tuple(bone._replace(name=f"b{number}") for number, bone in enumerate(BODY[:1])) + tuple(
        bone._replace(name=f"c{number}", parent=parent) for number, (bone, parent) in enumerate(
            zip(BODY[1:], ("b0", "c0"), strict=True))
    )  # fmt: skip
    path = little_avatar(tmp_path / "a.vrm", [f"Fcl_{number}" for number in range(6)], bones, version)
    motion = lively()
    found = weights_of(path, motion)
    expected = 0.5 * viseme_weights(motion, ("aa", "ih", "oh", "ou", "E"))
    np.testing.assert_allclose(found["Fcl_0"], expected[:, 0], atol=0.05)
    blinks = (motion.channel("eyeBlinkLeft") + motion.channel("eyeBlinkRight")) / 2
    np.testing.assert_allclose(found["Fcl_5"], 0.5 * blinks, atol=1e-6)
    report = read_avatar(path).report
    assert (report.mouth, set(report.bones)) == ("VRM expressions", {"head", "neck"})


def test_perfect_sync_expressions_are_channels(tmp_path: Path) -> None:
    def custom(document: dict[str, Any]) -> None:
        face = len(document["nodes"]) - 1
        named = {name.title(): {"morphTargetBinds": [{"node": face, "index": i, "weight": 1}]}
                 for i, name in enumerate(ARKIT_NAMES)}  # fmt: skip
        document["extensions"] = {"VRMC_vrm": {"expressions": {"custom": named}}}

    motion = lively()
    path = little_avatar(tmp_path / "a.vrm", [f"s{number:02d}" for number in range(52)], change=custom)
    found = weights_of(path, motion)
    np.testing.assert_array_equal(np.stack(list(found.values()), 1), motion.expression.numpy())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no morph targets and no jaw bone"),
        (["", ""], "2 morph targets have no names"),
        (["Key 1", "smile", "\x1b[31mred"], r"its morph targets are 'Key 1', 'smile', '\\x1b\[31mred'"),
    ],
)
def test_a_character_without_a_mouth_is_refused_with_what_it_has(
    names: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FacetalkError, match=message):
        read_avatar(little_avatar(tmp_path / "a.glb", names))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["meshes"][0].update(weights=[1, 2]),
        lambda d: d["meshes"][0]["primitives"].append({"targets": []}),
        lambda d: d["nodes"][-1].update(mesh=4),
        lambda d: d.update(extensions={"VRMC_vrm": 3}),
        lambda d: d.update(extensions={"VRM": {"humanoid": {"humanBones": [{"bone": "head", "node": 99}]}}}),
        lambda d: d["nodes"][0].update(children=[0]),
    ],
)
def test_a_damaged_character_is_refused(change: Any, tmp_path: Path) -> None:
    with pytest.raises(FacetalkError, match=r"a\.glb"):
        read_avatar(little_avatar(tmp_path / "a.glb", change=change))
