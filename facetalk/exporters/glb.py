"""`.glb` files: the head as a skinned mesh with morph targets, and a motion as its animation.

One mesh with a primitive for skin, eyes, teeth and tongue; five joints; the expression channels and, after them, the
correctives of channels that act together, as morph targets. Their names are in `extras.targetNames`, where Blender,
three.js, Unity and Godot look for them. Meters, y up, face towards +z, as glTF defines. Identity is part of the mesh.

Not written by trimesh, whose GLB exporter has neither skins and animations nor morph targets with sparse accessors.
"""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_quaternion
from facetalk.core.version import __version__
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.head_mesh import SplitMesh, part_faces, split_at_seams, vertex_normals
from facetalk.head.assets import HeadAssets
from facetalk.head.correctives import blend_shape_dirs, blend_shape_names, blend_shape_weights
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_NAMES, JOINT_PARENTS
from facetalk.io.files import replacing
from facetalk.rendering.color import srgb_to_linear

_FLOAT, _UINT32, _UINT16, _UINT8 = 5126, 5125, 5123, 5121
_COMPONENT = {"<f4": _FLOAT, "<u4": _UINT32, "<u2": _UINT16, "|u1": _UINT8}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_VERTEX_DATA, _INDEX_DATA = 34962, 34963

_SMALLEST_MOVE_M = 2e-6
"""Displacements below two micrometers are omitted from a morph target."""
_SMALLEST_TURN = 2e-3
"""Changes of a unit normal below this are omitted."""


def write(
    path: Path,
    motion: Motion,
    head: HeadModel,
    options: ExportOptions = DEFAULTS,
    progress: Progress = no_progress,
) -> None:
    """Write the head with one identity and one motion as binary glTF 2.0, see `Exporter`."""
    check_same_head(motion, head)
    data = glb_bytes(head, at_frame_rate(motion, options))
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def glb_bytes(head: HeadModel, motion: Motion) -> bytes:
    """The whole file in memory."""
    file, assets = _Buffer(), head.assets
    template, joints = (part.numpy() for part in head.shaped(motion.betas))
    mesh = split_at_seams(
        assets.shape.faces.numpy(), assets.appearance.uv_faces.numpy(), assets.appearance.uv_coords.numpy()
    )
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"facetalk {__version__}"},
        "scene": 0,
        "scenes": [{"name": assets.name, "nodes": [0, 1]}],
        "nodes": [{"name": assets.name, "mesh": 0, "skin": 0}, *_joint_nodes(joints)],
        "meshes": [_mesh(file, assets, mesh, template)],
        "skins": [_skin(file, joints)],
        "animations": [_animation(file, assets, motion, joints)],
        **_materials(file, assets),
    }
    return file.finish(document)


class _Buffer:
    """The binary part of a growing file, with its views and accessors."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes at a multiple of four; returns the number of the view."""
        self.data += bytes(-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.views.append(view if target is None else {**view, "target": target})
        self.data += data
        return len(self.views) - 1

    def accessor(self, array: np.ndarray, target: int | None = None, **extra: Any) -> int:
        """Append an array with its bounds; returns the number of the accessor."""
        array = np.ascontiguousarray(array)
        if array.dtype == np.float32 or array.ndim == 1:
            extra |= _bounds(array)
        self.accessors.append({"bufferView": self.view(array.tobytes(), target), **_kind(array), **extra})
        return len(self.accessors) - 1

    def sparse(self, rows: np.ndarray, keep: np.ndarray) -> int:
        """Append an accessor that is zero except in the rows `keep`."""
        where = np.flatnonzero(keep)
        if len(where) == 0:
            where = np.zeros(1, np.int64)  # a sparse accessor must name at least one row
        kept = np.zeros_like(rows)
        kept[where] = rows[where]
        places = {"bufferView": self.view(_small(where, len(rows)).tobytes()), "componentType": _index_type(len(rows))}
        values = {"bufferView": self.view(np.ascontiguousarray(rows[where]).tobytes())}
        sparse = {"count": len(where), "indices": places, "values": values}
        self.accessors.append({**_kind(rows), **_bounds(kept), "sparse": sparse})
        return len(self.accessors) - 1

    def finish(self, document: dict[str, Any]) -> bytes:
        """Header, JSON chunk and binary chunk."""
        self.data += bytes(-len(self.data) % 4)
        tables = {"buffers": [{"byteLength": len(self.data)}], "bufferViews": self.views, "accessors": self.accessors}
        text = json.dumps({**document, **tables}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<I4s", len(text), b"JSON") + text
        chunks += struct.pack("<I4s", len(self.data), b"BIN\0") + bytes(self.data)
        return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _kind(array: np.ndarray) -> dict[str, Any]:
    width = 1 if array.ndim == 1 else int(np.prod(array.shape[1:]))
    return {"componentType": _COMPONENT[array.dtype.str], "count": len(array), "type": _TYPES[width]}


def _bounds(array: np.ndarray) -> dict[str, Any]:
    flat = array.reshape(len(array), -1)
    return {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}


def _index_type(num_vertices: int) -> int:
    # 65535 itself restarts a strip and is not allowed as an index.
    return _UINT16 if num_vertices < 65_535 else _UINT32


def _small(indices: np.ndarray, num_vertices: int) -> np.ndarray:
    return indices.astype(np.uint16 if _index_type(num_vertices) == _UINT16 else np.uint32)


def _joint_nodes(joints: np.ndarray) -> list[dict[str, Any]]:
    """Nodes 1 to 5, each placed relative to its parent."""
    nodes = []
    for number, (name, parent) in enumerate(zip(JOINT_NAMES, JOINT_PARENTS, strict=True)):
        place = joints[number] - (joints[parent] if parent >= 0 else 0)
        node: dict[str, Any] = {"name": name, "translation": place.tolist()}
        children = [child + 1 for child, above in enumerate(JOINT_PARENTS) if above == number]
        nodes.append({**node, "children": children} if children else node)
    return nodes


def _skin(file: _Buffer, joints: np.ndarray) -> dict[str, Any]:
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    inverse[:, :3, 3] = -joints
    columns = file.accessor(inverse.transpose(0, 2, 1).copy())  # glTF stores matrices column by column
    return {"name": "head", "inverseBindMatrices": columns, "skeleton": 1, "joints": list(range(1, len(joints) + 1))}


def _mesh(file: _Buffer, assets: HeadAssets, mesh: SplitMesh, template: np.ndarray) -> dict[str, Any]:
    faces = assets.shape.faces.numpy()
    normals = vertex_normals(template, faces)
    attributes = {
        "POSITION": file.accessor(template[mesh.source], _VERTEX_DATA),
        "NORMAL": file.accessor(normals[mesh.source], _VERTEX_DATA),
        "TEXCOORD_0": file.accessor((mesh.uv_coords * [1, -1] + [0, 1]).astype(np.float32), _VERTEX_DATA),
        "COLOR_0": file.accessor(_linear_colors(assets)[mesh.source], _VERTEX_DATA, normalized=True),
        **_skin_attributes(file, assets.shape.skin_weights.numpy()[mesh.source]),
    }
    targets = []
    for offsets in blend_shape_dirs(assets.shape).numpy():
        turned = vertex_normals(template + offsets, faces) - normals
        moves = np.abs(offsets).max(1) > _SMALLEST_MOVE_M
        turns = np.abs(turned).max(1) > _SMALLEST_TURN
        targets.append(
            {
                "POSITION": file.sparse(offsets[mesh.source], moves[mesh.source]),
                "NORMAL": file.sparse(turned[mesh.source], turns[mesh.source]),
            }
        )
    primitives = []
    for number, members in enumerate(part_faces(assets).values()):
        corners = _small(mesh.faces[members].ravel(), len(mesh.source))
        indices = file.accessor(corners, _INDEX_DATA)
        primitives.append({"attributes": attributes, "indices": indices, "material": number, "targets": targets})
    names = list(blend_shape_names(assets.shape))
    return {
        "name": assets.name,
        "primitives": primitives,
        "weights": [0.0] * len(names),
        "extras": {"targetNames": names},
    }


def _linear_colors(assets: HeadAssets) -> np.ndarray:
    """Vertex colors as glTF defines them: linear light, 16 bits, with an opaque fourth channel."""
    linear = srgb_to_linear(assets.appearance.colors.numpy())
    opaque = np.ones((len(linear), 1))
    return np.rint(np.hstack([linear, opaque]).clip(0, 1) * 65_535).astype(np.uint16)


def _skin_attributes(file: _Buffer, skin_weights: np.ndarray) -> dict[str, int]:
    """Joints and weights in sets of four; a second set only if a vertex is attached to all five joints."""
    order = np.argsort(-skin_weights, 1, kind="stable")
    weights = np.take_along_axis(skin_weights, order, 1)
    num_sets = 2 if weights[:, 4:].max() > 1e-4 else 1
    size = 4 * num_sets
    order, weights = (np.pad(rows, ((0, 0), (0, 4)))[:, :size] for rows in (order, weights))
    weights = weights / weights.sum(1, keepdims=True)
    order = np.where(weights > 0, order, 0)  # unused slots must point at joint 0
    attributes = {}
    for number in range(num_sets):
        part = slice(4 * number, 4 * number + 4)
        attributes[f"JOINTS_{number}"] = file.accessor(order[:, part].astype(np.uint8), _VERTEX_DATA)
        attributes[f"WEIGHTS_{number}"] = file.accessor(weights[:, part].astype(np.float32), _VERTEX_DATA)
    return attributes


def _materials(file: _Buffer, assets: HeadAssets) -> dict[str, Any]:
    """One material per part, whose roughness gives the highlight of the part's mean Phong exponent."""
    materials = []
    for name, members in part_faces(assets).items():
        exponent = float(assets.appearance.gloss.numpy()[np.unique(assets.shape.faces.numpy()[members]), 1].mean())
        # A microfacet lobe of the same width: alpha^2 = 2 / (n + 2), and roughness is the root of alpha.
        surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": round((2 / (exponent + 2)) ** 0.25, 3)}
        if assets.appearance.texture is not None:
            surface["baseColorTexture"] = {"index": 0}
        materials.append({"name": name, "pbrMetallicRoughness": surface, "doubleSided": True})
    if assets.appearance.texture is None:
        return {"materials": materials}
    encoded = io.BytesIO()
    Image.fromarray(assets.appearance.texture).save(encoded, "JPEG", quality=92)
    image = {"name": "texture", "mimeType": "image/jpeg", "bufferView": file.view(encoded.getvalue())}
    return {
        "materials": materials,
        "images": [image],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "textures": [{"source": 0, "sampler": 0}],
    }


def _animation(file: _Buffer, assets: HeadAssets, motion: Motion, joints: np.ndarray) -> dict[str, Any]:
    times = file.accessor((np.arange(motion.num_frames) / motion.fps).astype(np.float32))
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def animate(node: int, path: str, values: np.ndarray) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "interpolation": "LINEAR", "output": file.accessor(values.astype(np.float32))})

    animate(0, "weights", blend_shape_weights(assets.shape, motion.expression).numpy().ravel())
    animate(1, "translation", joints[0] + motion.transl.numpy())
    for number in range(len(JOINT_NAMES)):
        animate(number + 1, "rotation", _quaternions(motion, number))
    return {"name": "performance", "samplers": samplers, "channels": channels}


def _quaternions(motion: Motion, joint: int) -> np.ndarray:
    """Rotations of one joint as x, y, z, w, with signs that keep neighboring frames close."""
    wxyz = matrix_to_quaternion(axis_angle_to_matrix(motion.poses[:, joint])).numpy()
    same_side = (wxyz[1:] * wxyz[:-1]).sum(1) >= 0
    signs = np.cumprod(np.concatenate([[1.0], np.where(same_side, 1.0, -1.0)]))
    return (wxyz * signs[:, None])[:, [1, 2, 3, 0]]
