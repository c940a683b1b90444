"""Bones of an avatar that a face moves: head, neck, jaw and eyes, under the names of common rigs.

VRM files say which bone is which. Elsewhere the words of a name decide, without those that rigs put before or after
them: Mixamo (`mixamorig:Head`), Ready Player Me (`LeftEye`), Reallusion (`CC_Base_L_Eye`, `CC_Base_NeckTwist01`), VRoid
(`J_Adj_L_FaceEye`), Unreal and MetaHuman (`neck_01`, `FACIAL_C_Jaw`), Rigify (`DEF-spine.006`, `eye.L`), 3ds Max
(`Bip001 Head`). A model without bones may have groups under such names, which turn in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from facetalk.core.words import words
from facetalk.io.gltf import GltfFile
from facetalk.io.gltf_nodes import NodeTree
from facetalk.io.vrm import vrm_bones

ROLES = ("neck", "head", "jaw", "left_eye", "right_eye")

_ROLE_OF = {
    ("neck",): "neck",
    ("head",): "head",
    ("jaw",): "jaw",
    ("lower", "jaw"): "jaw",
    ("eye", "left"): "left_eye",
    ("eyeball", "left"): "left_eye",
    ("eye", "right"): "right_eye",
    ("eyeball", "right"): "right_eye",
}
"""Roles by the words of a name, in alphabetical order."""
_ANY_RIG = frozenset((
    "mixamorig", "cc", "base", "bip", "j", "adj", "c", "def", "org", "mch", "grp", "group", "jnt", "joint", "bone",
    "face", "facial", "sk", "rig", "root", "twist",
))  # fmt: skip
"""Words that rigs add to the names of all bones."""
_SIDES = {"l": "left", "r": "right"}
# Rigify numbers its spine upwards from the hips.
_RIGIFY = {re.compile(r"(?:^|[-_])spine[.]?006$"): "head", re.compile(r"(?:^|[-_])spine[.]?00[45]$"): "neck"}


@dataclass(frozen=True, eq=False)
class AvatarBones:
    """Which nodes play which role, and where the character looks."""

    nodes: Mapping[str, tuple[int, ...]]
    """Nodes of each role that was found; several for the neck, from the lowest."""
    frame: Float[np.ndarray, "3 3"]
    """Columns: the direction of the side that is named left, up, and out of the face, in the file's world. A model
    whose sides are named as its viewer sees them has a reflection."""


def find_bones(file: GltfFile, tree: NodeTree, face_nodes: Iterable[int]) -> AvatarBones:
    """Find the bones.

    Args:
        file: the avatar.
        tree: its nodes.
        face_nodes: nodes with the meshes whose shapes move the face.
    """
    nodes = vrm_bones(file, len(tree.names)) or _named_bones(file, tree)
    face = set(face_nodes)
    if "head" not in nodes and "neck" not in nodes and face and not file.table("skins"):
        group = _common_group(tree, face | {node for role in nodes.values() for node in role})
        if group is not None:
            nodes["head"] = (group,)
    usable = {role: tuple(node for node in nodes[role] if not tree.is_matrix[node]) for role in ROLES if role in nodes}
    usable = {role: found for role, found in usable.items() if found}
    return AvatarBones(usable, _frame(file, tree, usable))


def parent_axes(tree: NodeTree, bones: AvatarBones, node: int) -> Float[np.ndarray, "3 3"]:
    """The matrix that takes a rotation vector from the frame of a motion to that of a node's parent at rest."""
    parent = tree.parents[node]
    above = tree.turned(parent) if parent >= 0 else np.eye(3)
    # Rotation vectors change their sign under a reflection.
    return np.linalg.det(bones.frame) * above.T @ bones.frame


def role_named(name: str) -> str | None:
    """The role of a bone with a name, if it has one."""
    for pattern, role in _RIGIFY.items():
        if pattern.search(name):
            return role
    parts = {_SIDES.get(word, word) for word in words(name)}
    return _ROLE_OF.get(tuple(sorted(word for word in parts - _ANY_RIG if not word.isdigit())))


def _named_bones(file: GltfFile, tree: NodeTree) -> dict[str, tuple[int, ...]]:
    """Nodes by role, as their names say. Of several for one role, bones of a skin come before other nodes, and the
    uppermost counts; a neck may have several bones in a row.
    """
    joints = {joint for skin in file.table("skins") for joint in _joints(skin)}
    drawn = {number for number, node in enumerate(file.table("nodes")) if "skin" in node}
    found: dict[str, list[int]] = {}
    for number in tree.order:
        role = role_named(tree.names[number])
        if role is not None and number not in drawn:
            found.setdefault(role, []).append(number)
    chosen: dict[str, tuple[int, ...]] = {}
    for role, numbers in found.items():
        bones = [number for number in numbers if number in joints] or numbers
        row = [number for number in bones if bones[0] in tree.ancestors(number)]
        chosen[role] = tuple(row if role == "neck" else row[:1])
    carried = [chosen[role][0] for role in ("left_eye", "right_eye") if role in chosen]
    if "head" in chosen and any(chosen["head"][0] not in tree.ancestors(node) for node in carried):
        del chosen["head"]  # a mesh of this name: the eyes would stay behind
    return chosen


def _joints(skin: dict[str, Any]) -> list[int]:
    joints = skin.get("joints")
    return [joint for joint in joints if isinstance(joint, int)] if isinstance(joints, list) else []


def _common_group(tree: NodeTree, nodes: Iterable[int]) -> int | None:
    """The lowest node above all of several; of a single mesh, itself."""
    paths = [tree.ancestors(node) for node in nodes]
    shared = set(paths[0]).intersection(*paths[1:])
    return next((node for node in paths[0] if node in shared), None)


def _frame(file: GltfFile, tree: NodeTree, nodes: Mapping[str, tuple[int, ...]]) -> Float[np.ndarray, "3 3"]:
    world = tree.world[:, :3, 3]
    center = {role: world[list(found)].mean(0) for role, found in nodes.items()}
    up = np.array([0.0, 1.0, 0.0])
    if "head" in center and "neck" in center:
        up = _axis(center["head"] - center["neck"], up)
    forward = np.array([0.0, 0.0, 1.0]) if abs(up[2]) < 0.5 else np.array([0.0, -1.0, 0.0]) * up[2]
    if file.extension(file.document, "VRM"):  # VRM 0 looks the other way
        forward = -forward
    eyes = [center[role] for role in ("left_eye", "right_eye") if role in center]
    below = center.get("head", center.get("neck"))
    if eyes and below is not None:
        reach = np.mean(eyes, 0) - below
        forward = _axis(reach - (reach @ up) * up, forward)
    left = np.cross(up, forward)
    if len(eyes) == 2 and (eyes[0] - eyes[1]) @ left < 0:
        left = -left
    return np.stack([left, up, forward], 1)


def _axis(direction: np.ndarray, default: np.ndarray) -> np.ndarray:
    """The axis of the world that is closest to a direction; the default where the direction is none."""
    largest = int(np.abs(direction).argmax())
    if abs(direction[largest]) < 1e-6:
        return default
    axis = np.zeros(3)
    axis[largest] = np.sign(direction[largest])
    return axis
