"""Triangles of a glTF file: positions, morph targets, bindings to joints and texture coordinates of each primitive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from facetalk.io.gltf import CompressedError, GltfFile, is_whole
from facetalk.io.gltf_values import GltfValues

_TRIANGLES = 4
_MOST_ROWS = 40_000_000
"""Vertices of all nodes, counted again for each of their morph targets."""
_DRACO = "KHR_draco_mesh_compression"


@dataclass(frozen=True, eq=False)
class Primitive:
    """One material's part of a mesh, as its node has it."""

    node: int
    material: int | None
    faces: Int[np.ndarray, "faces 3"]
    positions: Float[np.ndarray, "vertices 3"]
    moves: Mapping[int, Float[np.ndarray, "vertices 3"]]
    """Displacement at weight 1 of each morph target that was asked for."""
    joints: Int[np.ndarray, "vertices slots"] | None
    """Numbers in the skin of the joints that a vertex is bound to; None without a skin."""
    shares: Float[np.ndarray, "vertices slots"] | None
    uv_coords: Float[np.ndarray, "vertices 2"] | None
    """Of the base color's texture; the origin is at the upper left."""


@dataclass(frozen=True, eq=False)
class Skin:
    """The joints of a skinned mesh."""

    joints: tuple[int, ...]
    """Nodes."""
    inverse_bind: Float[np.ndarray, "joints 4 4"]


def read_primitives(
    file: GltfFile, nodes: Sequence[int], targets: Mapping[int, Sequence[int]]
) -> tuple[list[Primitive], dict[int, Skin]]:
    """Read the triangles of some nodes; points, lines and strips are left out.

    Args:
        file: the file.
        nodes: those to read.
        targets: morph targets that are wanted, by node.

    Returns:
        The primitives, and the skin of each skinned node.

    Raises:
        CompressedError: the geometry is compressed.
        GltfError: the file is damaged.
    """
    values, found, rows = GltfValues(file), [], 0
    skins: dict[int, Skin] = {}
    read: dict[tuple[object, tuple[int, ...]], list[dict[str, Any]]] = {}
    for node in nodes:
        entry = file.table("nodes")[node]
        mesh = file.numbered("meshes", entry.get("mesh"), f"node {node}")
        if "skin" in entry:
            skins[node] = _skin(file, values, entry["skin"], node)
        wanted = tuple(targets.get(node, ()))
        key = entry.get("mesh"), wanted
        if key not in read:  # nodes may share a mesh
            where = f"mesh {entry.get('mesh')}"
            read[key] = [
                _arrays(file, values, primitive, wanted, where)
                for primitive in file.objects(mesh, "primitives", where)
                if primitive.get("mode", _TRIANGLES) == _TRIANGLES
            ]
        found += [_bound(file, Primitive(node=node, **arrays), skins.get(node)) for arrays in read[key]]
        rows += sum(len(arrays["positions"]) * (1 + len(arrays["moves"])) for arrays in read[key])
        if rows > _MOST_ROWS:
            raise file.error("its meshes are too large to be shown here; write a .glb instead")
    return found, skins


def _arrays(
    file: GltfFile, values: GltfValues, primitive: dict[str, Any], wanted: Sequence[int], where: str
) -> dict[str, Any]:
    if file.extension(primitive, _DRACO):
        raise CompressedError(f"{file.path}: {where} is compressed (Draco), which is not decoded here")
    attributes = primitive.get("attributes")
    if not isinstance(attributes, dict):
        raise file.error(f"{where} has a primitive without attributes")
    positions = values.floats(attributes.get("POSITION"), f"the positions of {where}", 3)
    count = len(positions)
    targets = file.objects(primitive, "targets", where)
    moves = {}
    for number in wanted:
        if "POSITION" in targets[number]:
            place = f"morph target {number} of {where}"
            moves[number] = _as_many(file, values.floats(targets[number]["POSITION"], place, 3), count, place)
    material = primitive.get("material")
    if material is not None:
        file.index(material, len(file.table("materials")), where)
    return {
        "material": material,
        "faces": _faces(file, values, primitive, count, where),
        "positions": positions,
        "moves": moves,
        **_bindings(file, values, attributes, count, where),
        "uv_coords": _uv_coords(file, values, attributes, material, count, where),
    }


def _faces(file: GltfFile, values: GltfValues, primitive: dict[str, Any], count: int, where: str) -> np.ndarray:
    if "indices" not in primitive:
        corners = np.arange(count, dtype=np.int64)
    else:
        corners = values.array(primitive["indices"], f"the indices of {where}")
        if corners.shape[1] != 1 or corners.dtype.kind != "u":
            raise file.error(f"the indices of {where} are not whole numbers")
        corners = corners[:, 0].astype(np.int64)
    if corners.max() >= count:
        raise file.error(f"the indices of {where} name vertex {corners.max()} of {count}")
    return corners[: len(corners) - len(corners) % 3].reshape(-1, 3)


def _bindings(
    file: GltfFile, values: GltfValues, attributes: dict[str, Any], count: int, where: str
) -> dict[str, np.ndarray | None]:
    joints, shares = [], []
    for name in ("JOINTS_0", "JOINTS_1"):
        other = name.replace("JOINTS", "WEIGHTS")
        if name in attributes and other in attributes:
            rows = values.array(attributes[name], f"{name} of {where}")
            if rows.dtype.kind != "u" or rows.shape[1] != 4:
                raise file.error(f"{name} of {where} are not four whole numbers")
            joints.append(_as_many(file, rows.astype(np.int64), count, where))
            shares.append(_as_many(file, values.floats(attributes[other], f"{other} of {where}", 4), count, where))
    if not joints:
        return {"joints": None, "shares": None}
    total = np.hstack(shares)
    return {"joints": np.hstack(joints), "shares": total / np.maximum(total.sum(1, keepdims=True), 1e-6)}


def _uv_coords(
    file: GltfFile, values: GltfValues, attributes: dict[str, Any], material: int | None, count: int, where: str
) -> np.ndarray | None:
    """Coordinates of the base color's texture, with the transform of `KHR_texture_transform`."""
    if material is None:
        return None
    surface = file.table("materials")[material].get("pbrMetallicRoughness")
    texture = surface.get("baseColorTexture") if isinstance(surface, dict) else None
    if not isinstance(texture, dict):
        return None
    change = file.extension(texture, "KHR_texture_transform")
    number = change.get("texCoord", texture.get("texCoord", 0))
    name = f"TEXCOORD_{number}" if is_whole(number) else ""
    if name not in attributes:
        return None
    coords = _as_many(file, values.floats(attributes[name], f"{name} of {where}", 2), count, where)
    scale, offset, turn = change.get("scale", [1, 1]), change.get("offset", [0, 0]), change.get("rotation", 0)
    numbers = [*scale, *offset, turn] if isinstance(scale, list) and isinstance(offset, list) else []
    if len(numbers) != 5 or not all(isinstance(value, int | float) and abs(value) < 1e6 for value in numbers):
        raise file.error(f"the texture transform of {where} is not one")
    cos, sin = np.cos(turn), np.sin(turn)
    return ((coords * scale) @ np.array([[cos, -sin], [sin, cos]]) + offset).astype(np.float32)


def _bound(file: GltfFile, primitive: Primitive, skin: Skin | None) -> Primitive:
    """The primitive without bindings to a skin that its node does not have."""
    if skin is None or primitive.joints is None:
        return Primitive(**{**vars(primitive), "joints": None, "shares": None})
    if primitive.joints.max() >= len(skin.joints):
        raise file.error(f"a vertex of node {primitive.node} is bound to joint {primitive.joints.max()}")
    return primitive


def _skin(file: GltfFile, values: GltfValues, number: object, node: int) -> Skin:
    skin = file.numbered("skins", number, f"node {node}")
    joints = skin.get("joints")
    if not isinstance(joints, list) or not joints:
        raise file.error(f"the skin of node {node} has no joints")
    joints = tuple(file.index(joint, len(file.table("nodes")), f"the skin of node {node}") for joint in joints)
    if "inverseBindMatrices" not in skin:
        return Skin(joints, np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1)))
    matrices = values.floats(skin["inverseBindMatrices"], f"the skin of node {node}", 16)
    if len(matrices) < len(joints):
        raise file.error(f"the skin of node {node} has {len(matrices)} matrices for {len(joints)} joints")
    return Skin(joints, matrices[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1))


def _as_many(file: GltfFile, rows: np.ndarray, count: int, where: str) -> np.ndarray:
    if len(rows) != count:
        raise file.error(f"{where} has {len(rows)} rows for {count} vertices")
    return rows
