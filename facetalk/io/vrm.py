"""What VRM 0 and VRM 1 say about a character: its expressions and which bone is which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from facetalk.io.gltf import GltfFile, is_whole
from facetalk.io.gltf_morphs import MorphMesh

VOWELS = {"aa": "aa", "ih": "ih", "ou": "ou", "ee": "E", "oh": "oh"}
"""The viseme of Oculus that looks like each of the preset vowels."""
_VRM0_NAMES = {
    "a": "aa", "i": "ih", "u": "ou", "e": "ee", "o": "oh", "blink_l": "blinkLeft", "blink_r": "blinkRight",
    "lookup": "lookUp", "lookdown": "lookDown", "lookleft": "lookLeft", "lookright": "lookRight",
}  # fmt: skip
_VRM_ROLES = {"neck": "neck", "head": "head", "jaw": "jaw", "leftEye": "left_eye", "rightEye": "right_eye"}
_VRM_EXTENSIONS = ("VRMC_vrm", "VRMC_vrm_animation", "VRM")


def vrm_expressions(file: GltfFile, meshes: Sequence[MorphMesh]) -> dict[str, list[tuple[int, int, float]]]:
    """Expressions of a VRM file by name: the node, the morph target and the gain of each bind.

    Names are those of VRM 1; custom expressions keep theirs.
    """
    by_node = {mesh.node: mesh for mesh in meshes}
    found: dict[str, list[tuple[int, int, float]]] = {}
    groups = file.extension(file.document, "VRMC_vrm").get("expressions", {})
    for part in ("preset", "custom"):
        named = groups.get(part, {}) if isinstance(groups, dict) else {}
        for name, entry in named.items() if isinstance(named, dict) else ():
            binds = file.objects(entry, "morphTargetBinds", f"the expression {name}") if isinstance(entry, dict) else []
            found[name] = [bound for bind in binds for bound in _bound(bind, [bind.get("node")], by_node, 1.0)]
    master = file.extension(file.document, "VRM").get("blendShapeMaster")
    if isinstance(master, dict):
        nodes = file.table("nodes")
        for group in file.objects(master, "blendShapeGroups", "the VRM extension"):
            preset, own = str(group.get("presetName", "")).lower(), str(group.get("name", ""))
            name = own if preset in ("", "unknown") else _VRM0_NAMES.get(preset, preset)
            for bind in file.objects(group, "binds", f"the expression {name}"):
                users = [number for number, node in enumerate(nodes) if node.get("mesh") == bind.get("mesh")]
                found.setdefault(name, []).extend(_bound(bind, users, by_node, 0.01))
    return {name: binds for name, binds in found.items() if binds}


def _bound(
    bind: Mapping[str, Any], nodes: Sequence[object], by_node: Mapping[int, MorphMesh], unit: float
) -> Iterator[tuple[int, int, float]]:
    """The morph targets that a bind names and that there are."""
    index, weight = bind.get("index"), bind.get("weight", 1.0 / unit)
    if not is_whole(index) or not isinstance(weight, int | float):
        return
    for node in nodes:
        if isinstance(node, int) and node in by_node and index < len(by_node[node].target_names):
            yield node, index, min(max(float(weight) * unit, 0.0), 1.0)


def vrm_bones(file: GltfFile, num_nodes: int) -> dict[str, tuple[int, ...]]:
    """Nodes by role as a VRM file states them; empty for other files."""
    for name in _VRM_EXTENSIONS:
        humanoid = file.extension(file.document, name).get("humanoid")
        bones = humanoid.get("humanBones") if isinstance(humanoid, dict) else None
        if isinstance(bones, list):  # VRM 0
            entries: list[tuple[Any, Any]] = [(bone.get("bone"), bone) for bone in bones if isinstance(bone, dict)]
        elif isinstance(bones, dict):
            entries = list(bones.items())
        else:
            continue
        return {
            _VRM_ROLES[bone]: (file.index(entry.get("node"), num_nodes, f"the bone {bone}"),)
            for bone, entry in entries
            if isinstance(bone, str) and bone in _VRM_ROLES and isinstance(entry, dict)
        }
    return {}
