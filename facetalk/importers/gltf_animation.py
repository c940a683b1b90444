"""Animations in glTF files: of morph targets and bones (`.glb`, `.gltf`, `.vrm`), or of a VRM humanoid (`.vrma`).

Where a file has several animations, the first that moves a face counts. A face of visemes or vowels becomes the ARKit
channels that look like them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import MAX_FPS, MIN_FPS, Motion
from facetalk.core.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    quaternion_product,
    quaternion_to_axis_angle,
)
from facetalk.core.timing import FPS, frame_times
from facetalk.head.channel_names import channel_columns
from facetalk.head.channels import ARKIT_NAMES
from facetalk.importers.base import ImportOptions, arkit_motion
from facetalk.importers.gltf_curves import Curve, animation_curves
from facetalk.io.gltf import GltfFile, read_gltf
from facetalk.io.gltf_morphs import morph_meshes
from facetalk.io.gltf_nodes import NodeTree, read_nodes
from facetalk.io.vrm import VOWELS
from facetalk.motion.avatar_bones import AvatarBones, find_bones, parent_axes
from facetalk.motion.avatar_shapes import ShapeMatch, match_shapes
from facetalk.motion.visemes import viseme_expression

_VRMA = "VRMC_vrm_animation"
_MOST_FRAMES = 500_000
"""More than four hours at 30 frames a second."""


def read(path: Path, options: ImportOptions) -> Motion:
    """Read the first animation of a face, see `Importer`."""
    file = read_gltf(path)
    tree, meshes = read_nodes(file), morph_meshes(file)
    bones = find_bones(file, tree, [mesh.node for mesh in meshes])
    expressions = _expression_nodes(file, len(tree.names))
    shapes = match_shapes(file, meshes, {"left_eye", "right_eye"} <= bones.nodes.keys())
    driven = {*shapes.drivers, *expressions.values()}
    for animation in file.table("animations"):
        curves = animation_curves(file, animation)
        if not any(node in driven for node, _ in curves):
            continue
        fps = _rate(file, animation, curves, options.fps)
        last = max(float(curve.times[-1]) for curve in curves.values())
        count = round(last * fps) + 1
        if count > _MOST_FRAMES:
            raise FacetalkError(f"{path}: its animation has {count} frames; at most {_MOST_FRAMES} are read")
        times = frame_times(count, fps).numpy()
        if expressions:
            expression = _from_expressions(curves, expressions, times, path)
        else:
            expression = _from_shapes(curves, shapes, times)
        poses = {**_gaze(file, curves, tree, bones, times), **_poses(curves, tree, bones, times)}
        return arkit_motion(expression, path, fps, "gltf", **poses)
    raise FacetalkError(f"{path} has no animation of a face: {_found(file, shapes)}")


def _expression_nodes(file: GltfFile, num_nodes: int) -> dict[str, int]:
    """Nodes whose position stands for the weight of an expression, by name (VRMC_vrm_animation)."""
    found: dict[str, int] = {}
    groups = file.extension(file.document, _VRMA).get("expressions", {})
    for part in ("preset", "custom"):
        named = groups.get(part, {}) if isinstance(groups, dict) else {}
        for name, entry in named.items() if isinstance(named, dict) else ():
            if isinstance(entry, dict):
                found[name] = file.index(entry.get("node"), num_nodes, f"the expression {name}")
    return found


def _from_shapes(
    curves: Mapping[tuple[int, str], Curve], shapes: ShapeMatch, times: Float[np.ndarray, " frames"]
) -> Float[Tensor, "frames 52"]:
    """Channels of the first mesh that has each of them; a set of visemes where the mouth has no channels."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for node, drivers in sorted(shapes.drivers.items(), key=lambda item: -len(item[1])):
        curve = curves.get((node, "weights"))
        if curve is None:
            continue
        used = [driver for driver in drivers if len(driver.source.names) == 1 and driver.target < curve.width]
        weights = curve.at(times, [driver.target for driver in used])
        own: dict[tuple[str, str], list[np.ndarray]] = {}
        for column, (_, (kind, names), _) in enumerate(used):
            own.setdefault((kind, names[0]), []).append(weights[:, column])
        for source, columns in own.items():
            found.setdefault(source, np.mean(columns, 0))
    return _channels(found, len(times))


def _from_expressions(
    curves: Mapping[tuple[int, str], Curve],
    nodes: Mapping[str, int],
    times: Float[np.ndarray, " frames"],
    path: Path,
) -> Float[Tensor, "frames 52"]:
    """Channels of a VRM animation, whose expressions have ARKit's names or VRM's."""
    moved = {name: curves[node, "translation"] for name, node in nodes.items() if (node, "translation") in curves}
    values = {name: curve.at(times)[:, 0] for name, curve in moved.items()}
    names = list(values)
    found = {
        ("arkit", channel): np.mean([values[names[column]] for column in columns], 0)
        for channel, columns in channel_columns(names).items()
    }
    if ("arkit", "jawOpen") not in found:
        found |= {("viseme", viseme): values[name] for name, viseme in VOWELS.items() if name in values}
    for name, channels in {"blinkLeft": ["eyeBlinkLeft"], "blinkRight": ["eyeBlinkRight"],
                           "blink": ["eyeBlinkLeft", "eyeBlinkRight"]}.items():  # fmt: skip
        for channel in channels if name in values else ():
            found.setdefault(("arkit", channel), values[name])
    if not found:
        raise FacetalkError(f"{path}: none of its expressions is one of ARKit or a vowel: {', '.join(names)[:200]}")
    return _channels(found, len(times))


def _channels(found: Mapping[tuple[str, str], np.ndarray], count: int) -> Float[Tensor, "frames 52"]:
    expression = torch.zeros(count, len(ARKIT_NAMES))
    spoken = {name: values for (kind, name), values in found.items() if kind == "viseme"}
    if spoken:
        weights = torch.from_numpy(np.stack(list(spoken.values()), 1)).float()
        expression = viseme_expression(weights, tuple(spoken))
    for number, name in enumerate(ARKIT_NAMES):
        if ("arkit", name) in found:
            expression[:, number] = torch.from_numpy(np.asarray(found["arkit", name], np.float32))
    return expression


def _poses(
    curves: Mapping[tuple[int, str], Curve], tree: NodeTree, bones: AvatarBones, times: Float[np.ndarray, " frames"]
) -> dict[str, Tensor]:
    """Rotation of the head and of the eyeballs, where the animation turns them."""
    turned: dict[str, list[Tensor]] = {}
    for role, nodes in bones.nodes.items():
        for node in nodes:
            if (node, "rotation") in curves:
                turned.setdefault(role, []).append(_turn(curves[node, "rotation"].at(times), node, tree, bones))
    poses = _root_poses(curves, tree, bones, times)
    chain = [turn for role in ("neck", "head") for turn in turned.get(role, ())]
    if chain:
        total = axis_angle_to_matrix(chain[0])
        for turn in chain[1:]:
            total = total @ axis_angle_to_matrix(turn)
        poses["neck_pose"] = matrix_to_axis_angle(total)
    for role, name in (("left_eye", "leye_pose"), ("right_eye", "reye_pose")):
        if role in turned:
            poses[name] = turned[role][0]
    return poses


def _root_poses(
    curves: Mapping[tuple[int, str], Curve], tree: NodeTree, bones: AvatarBones, times: Float[np.ndarray, " frames"]
) -> dict[str, Tensor]:
    """Rotation and position of the root of a head without a body, whose neck hangs directly on it, as FLAME's does."""
    root = tree.parents[bones.nodes["neck"][0]] if "neck" in bones.nodes and "head" not in bones.nodes else -1
    if root < 0 or tree.names[root] != "root":
        return {}
    poses = {}
    if (root, "rotation") in curves:
        poses["global_orient"] = _turn(curves[root, "rotation"].at(times), root, tree, bones)
    if (root, "translation") in curves:
        moved = curves[root, "translation"].at(times) - tree.translations[root]
        poses["transl"] = torch.from_numpy(moved @ bones.frame).float()
    return poses


def _gaze(
    file: GltfFile,
    curves: Mapping[tuple[int, str], Curve],
    tree: NodeTree,
    bones: AvatarBones,
    times: Float[np.ndarray, " frames"],
) -> dict[str, Tensor]:
    """Rotation of both eyeballs where a VRM animation turns the gaze as a whole."""
    look = file.extension(file.document, _VRMA).get("lookAt")
    if not isinstance(look, dict):
        return {}
    node = file.index(look.get("node"), len(tree.names), "the gaze")
    if (node, "rotation") not in curves:
        return {}
    turn = _turn(curves[node, "rotation"].at(times), node, tree, bones)
    return {"leye_pose": turn, "reye_pose": turn}


def _turn(rotations: np.ndarray, node: int, tree: NodeTree, bones: AvatarBones) -> Float[Tensor, "frames 3"]:
    """Rotation from rest in the frame of a motion, axis-angle."""
    x, y, z, w = tree.rotations[node].tolist()
    back = torch.tensor([w, -x, -y, -z])
    turned = torch.from_numpy(rotations[:, [3, 0, 1, 2]]).float()
    turn = quaternion_to_axis_angle(quaternion_product(turned, back.expand_as(turned)))
    return turn @ torch.from_numpy(parent_axes(tree, bones, node)).to(turn)


def _rate(
    file: GltfFile, animation: dict[str, Any], curves: Mapping[tuple[int, str], Curve], wanted: float | None
) -> float:
    """The frame rate that the animation or its scene notes, or that its keys keep."""
    for holder in (animation, *file.table("scenes")):
        extras = holder.get("extras")
        noted = extras.get("fps") if isinstance(extras, dict) else None
        if isinstance(noted, int | float) and MIN_FPS <= noted <= MAX_FPS:
            return float(noted)
    if wanted is not None:
        return wanted
    times = max((curve.times for curve in curves.values()), key=len)
    if len(times) < 3:
        return FPS
    rate = 1 / max(float(np.median(np.diff(times))), 1e-6)
    return float(round(rate)) if 10 <= round(rate) <= 240 else FPS


def _found(file: GltfFile, shapes: ShapeMatch) -> str:
    animations = len(file.table("animations"))
    if not animations:
        return "it has no animations"
    names = [name for mesh in shapes.meshes for name in mesh.target_names if name]
    targets = ", ".join(f"'{name:.30}'" for name in names[:6])
    return f"none of its {animations} animations moves a shape with a name of ARKit (its shapes: {targets or 'none'})"
