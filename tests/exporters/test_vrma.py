"""VRM animations keep to the published extension and hold what the motion does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
import torch

from facetalk.core.motion import Motion, still_motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.exporters.base import ExportOptions
from facetalk.exporters.vrma import write
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from tests.exporters.glb_reader import floats, read_glb

REQUIRED = (
    "hips", "spine", "head", "leftUpperLeg", "leftLowerLeg", "leftFoot", "rightUpperLeg", "rightLowerLeg", "rightFoot",
    "leftUpperArm", "leftLowerArm", "leftHand", "rightUpperArm", "rightLowerArm", "rightHand",
)  # fmt: skip
"""Bones that VRM 1.0 requires."""
PRESETS = ("happy", "angry", "sad", "relaxed", "surprised", "neutral", "aa", "ih", "ou", "ee", "oh", "blink",
           "blinkLeft", "blinkRight")  # fmt: skip
"""Preset expressions that may be animated: those of the gaze may not."""


def moving(num_frames: int = 40) -> Motion:
    generator = torch.Generator().manual_seed(0)
    knots = torch.rand(1, 52 + 15, num_frames // 8, generator=generator)
    smooth = torch.nn.functional.interpolate(knots, num_frames, mode="linear", align_corners=True)[0].T
    motion = still_motion("toy", smooth[:, :52].contiguous(), ARKIT_NAMES, 30.0, 3)
    poses = 0.4 * (smooth[:, 52:].unflatten(1, (5, 3)) - 0.5)
    poses[:, 3:, 2] = 0  # eyes do not roll
    return motion.replace(
        global_orient=poses[:, 0], neck_pose=poses[:, 1], leye_pose=poses[:, 3], reye_pose=poses[:, 4]
    )


def tracks(document: dict[str, Any]) -> dict[int, tuple[str, np.ndarray, np.ndarray]]:
    """Path, times and values by node."""
    (animation,) = document["animations"]
    found = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        assert sampler["interpolation"] == "LINEAR"
        times, values = floats(document, sampler["input"])[:, 0], floats(document, sampler["output"])
        assert len(times) == len(values) and (np.diff(times) > 0).all() and times[0] == 0
        assert channel["target"]["node"] not in found
        found[channel["target"]["node"]] = (channel["target"]["path"], times, values)
    return found


@pytest.fixture
def exported(tmp_path: Path, toy_head: HeadModel) -> tuple[Motion, dict[str, Any]]:
    motion = moving()
    write(tmp_path / "a.vrma", motion, toy_head)
    file: Any = pygltflib.GLTF2().load_binary(str(tmp_path / "a.vrma"))  # a reader of others takes it
    assert len(file.animations) == 1 and file.extensions["VRMC_vrm_animation"]["specVersion"] == "1.0"
    return motion, read_glb(tmp_path / "a.vrma")


def test_the_file_keeps_to_the_specification(exported: tuple[Motion, dict[str, Any]]) -> None:
    _, document = exported
    assert document["extensionsUsed"] == ["VRMC_vrm_animation"]
    extension, moved = document["extensions"]["VRMC_vrm_animation"], tracks(document)
    assert set(extension) == {"specVersion", "humanoid", "expressions", "lookAt"}
    bones = {name: bone["node"] for name, bone in extension["humanoid"]["humanBones"].items()}
    assert set(REQUIRED) <= set(bones) and not {"leftEye", "rightEye"} & set(bones)
    assert {name for name, node in bones.items() if node in moved} == {"neck", "head"}
    assert all(moved[bones[name]][0] == "rotation" for name in ("neck", "head"))
    expressions = extension["expressions"]
    assert set(expressions["preset"]) <= set(PRESETS) and set(expressions["custom"]) == set(ARKIT_NAMES)
    weights = [moved[entry["node"]] for kind in expressions.values() for entry in kind.values()]
    assert all(path == "translation" and values.shape[1] == 3 for path, _, values in weights)
    assert all(values.min() >= 0 and values.max() <= 1 for _, _, values in weights)
    assert moved[extension["lookAt"]["node"]][0] == "rotation"
    assert len(extension["lookAt"]["offsetFromHeadBone"]) == 3
    nodes = [
        extension["lookAt"]["node"],
        *bones.values(),
        *(e["node"] for k in expressions.values() for e in k.values()),
    ]
    assert len(set(nodes)) == len(nodes) == len(document["nodes"])


def test_the_skeleton_stands_in_t_pose(exported: tuple[Motion, dict[str, Any]]) -> None:
    _, document = exported
    places: dict[str, np.ndarray] = {}

    def visit(number: int, above: np.ndarray) -> None:
        node = document["nodes"][number]
        assert not {"rotation", "scale", "matrix"} & set(node)
        places[node["name"]] = above + node.get("translation", [0, 0, 0])
        for child in node.get("children", []):
            visit(child, places[node["name"]])

    for root in document["scenes"][0]["nodes"]:
        visit(root, np.zeros(3))
    assert len(places) == len(document["nodes"])
    assert places["hips"][1] > 0.5 and places["head"][1] > places["neck"][1] > places["hips"][1]
    for joint in ("UpperArm", "LowerArm", "Hand"):  # the left side is on +x, as the face looks along +z
        assert places[f"left{joint}"][0] > 0.1
        assert places[f"left{joint}"][1] == pytest.approx(places["leftUpperArm"][1])
        np.testing.assert_allclose(places[f"right{joint}"], places[f"left{joint}"] * [-1, 1, 1])
    assert 0 < places["leftFoot"][1] < 0.15


def test_head_gaze_and_expressions_are_those_of_the_motion(exported: tuple[Motion, dict[str, Any]]) -> None:
    motion, document = exported
    extension, moved = document["extensions"]["VRMC_vrm_animation"], tracks(document)
    frames = np.arange(motion.num_frames) / 30

    def at_frames(node: int) -> np.ndarray:
        _, times, values = moved[node]
        return np.stack([np.interp(frames, times, column) for column in values.T], 1)

    def matrices(node: int) -> torch.Tensor:
        rows = at_frames(node)
        x, y, z, w = torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True)).unbind(1)
        rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), 2 * (x * y + w * z),
                1 - 2 * (x * x + z * z), 2 * (y * z - w * x), 2 * (x * z - w * y), 2 * (y * z + w * x),
                1 - 2 * (x * x + y * y)]  # fmt: skip
        return torch.stack(rows, 1).unflatten(1, (3, 3)).float()

    bones = extension["humanoid"]["humanBones"]
    turned = matrices(bones["neck"]["node"]) @ matrices(bones["head"]["node"])
    wanted = axis_angle_to_matrix(motion.global_orient) @ axis_angle_to_matrix(motion.neck_pose)
    torch.testing.assert_close(turned, wanted, atol=3e-3, rtol=0)
    gaze = axis_angle_to_matrix((motion.leye_pose + motion.reye_pose) / 2)
    torch.testing.assert_close(matrices(extension["lookAt"]["node"]), gaze, atol=3e-3, rtol=0)
    for name in ARKIT_NAMES:
        weights = at_frames(extension["expressions"]["custom"][name]["node"])
        np.testing.assert_allclose(weights[:, 0], motion.channel(name).numpy(), atol=0.0045)
        assert not weights[:, 1:].any()
    blink = at_frames(extension["expressions"]["preset"]["blinkLeft"]["node"])[:, 0]
    np.testing.assert_allclose(blink, motion.channel("eyeBlinkLeft").numpy(), atol=0.0045)


def test_speech_with_a_little_smile_is_not_happy(tmp_path: Path, toy_head: HeadModel) -> None:
    motion = still_motion("toy", torch.zeros(30, 52), ARKIT_NAMES, 30.0, 3)
    for smile, happy in ((0.25, 0.0), (1.0, 1.0)):
        for side in ("Left", "Right"):
            motion.expression[:, ARKIT_NAMES.index(f"mouthSmile{side}")] = smile
        write(tmp_path / "a.vrma", motion, toy_head)
        document = read_glb(tmp_path / "a.vrma")
        node = document["extensions"]["VRMC_vrm_animation"]["expressions"]["preset"]["happy"]["node"]
        assert tracks(document)[node][2][0, 0] == pytest.approx(happy)


@pytest.mark.parametrize(("wanted", "kinds"), [("preset", {"preset"}), ("arkit", {"custom"})])
def test_one_kind_of_expressions_is_enough(tmp_path: Path, toy_head: HeadModel, wanted: str, kinds: set[str]) -> None:
    write(tmp_path / "a.vrma", moving(), toy_head, ExportOptions(expressions=wanted))
    assert set(read_glb(tmp_path / "a.vrma")["extensions"]["VRMC_vrm_animation"]["expressions"]) == kinds
