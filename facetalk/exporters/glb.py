"""`.glb` files: the head as skinned meshes with morph targets, and a motion as its animation.

A mesh each for skin, eyes, teeth and tongue, with its own vertices, textures and the morph targets that move it; five
joints. The skin has all targets: the expression channels, then correctives (see `tracks`). Names are in
`extras.targetNames`, where Blender, three.js, Unity and Godot look for them; frame rate and source are in the extras of
scene and animation. Meters, y up, face towards +z, as glTF defines. Identity is part of the meshes.

An animation stores weights in eight bits and rotations in sixteen, and omits keys that linear interpolation
reproduces (see `keys`): a weight is off by at most 0.004.

Not written by trimesh, whose GLB exporter has neither skins and animations nor morph targets with sparse accessors.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.version import __version__
from facetalk.exporters.base import DEFAULTS, ExportOptions, at_frame_rate, check_same_head
from facetalk.exporters.glb_animation import GlbAnimation
from facetalk.exporters.glb_file import INDEX_DATA, VERTEX_DATA, GlbFile, small_indices
from facetalk.exporters.head_mesh import vertex_normals, vertex_tangents
from facetalk.exporters.part_textures import TexturedPart, encoded, is_plain, textured_parts
from facetalk.exporters.tracks import joint_places, joint_rotations, shape_dirs, shape_names, shape_weights
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_NAMES, JOINT_PARENTS
from facetalk.io.files import replacing
from facetalk.rendering.seams import SplitMesh, split_at_seams

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
    motion = at_frame_rate(motion, options)
    with replacing(path) as temporary:
        _save(temporary, head, motion)


def _save(path: Path, head: HeadModel, motion: Motion) -> None:
    file, assets = GlbFile(), head.assets
    parts = textured_parts(assets)
    meshes, shapes = _meshes(file, head, motion, parts)
    joints = head.shaped(motion.betas)[1].numpy()
    name = _plain(assets.name)
    nodes = [{"name": f"{name}_{part.name}", "mesh": number, "skin": 0} for number, part in enumerate(parts)]
    root = len(nodes)
    notes = {"fps": motion.fps, "frames": motion.num_frames, "source": Path(motion.source).name}
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"facetalk {__version__}"},
        "scene": 0,
        "scenes": [{"name": assets.name, "nodes": list(range(root + 1)), "extras": notes}],
        "nodes": [*nodes, *_joint_nodes(joints, root)],
        "meshes": meshes,
        "skins": [_skin(file, joints, root, f"{name}_rig")],
        "animations": [{**_animation(file, head, motion, shapes, root), "extras": notes}],
        **_materials(file, parts),
    }
    file.save(path, document)


def _plain(name: str) -> str:
    """A name without punctuation, which programs replace each in its own way."""
    return re.sub(r"\W+", "_", name)


def _joint_nodes(joints: np.ndarray, first: int) -> list[dict[str, Any]]:
    """A node for each joint from number `first` on, placed relative to its parent."""
    nodes = []
    for number, (name, parent) in enumerate(zip(JOINT_NAMES, JOINT_PARENTS, strict=True)):
        place = joints[number] - (joints[parent] if parent >= 0 else 0)
        node: dict[str, Any] = {"name": name, "translation": place.tolist()}
        children = [child + first for child, above in enumerate(JOINT_PARENTS) if above == number]
        nodes.append({**node, "children": children} if children else node)
    return nodes


def _skin(file: GlbFile, joints: np.ndarray, root: int, name: str) -> dict[str, Any]:
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    inverse[:, :3, 3] = -joints
    columns = file.accessor(inverse.transpose(0, 2, 1).copy())  # glTF stores matrices column by column
    numbers = list(range(root, root + len(joints)))
    return {"name": name, "inverseBindMatrices": columns, "skeleton": root, "joints": numbers}


def _meshes(
    file: GlbFile, head: HeadModel, motion: Motion, parts: tuple[TexturedPart, ...]
) -> tuple[list[dict[str, Any]], list[list[int]]]:
    """A mesh for each part, and the numbers of the blend shapes that it has as morph targets."""
    assets = head.assets
    template, faces = head.shaped(motion.betas)[0].numpy(), assets.shape.faces.numpy()
    normals = vertex_normals(template, faces)
    splits = [split_at_seams(faces[part.members], part.uv_faces, part.uv_coords) for part in parts]
    targets: list[list[dict[str, int]]] = [[] for _ in parts]
    shapes: list[list[int]] = [[] for _ in parts]
    for number, offsets in enumerate(shape_dirs(assets.shape)):
        turned = vertex_normals(template + offsets, faces) - normals
        moves = np.abs(offsets).max(1) > _SMALLEST_MOVE_M
        turns = np.abs(turned).max(1) > _SMALLEST_TURN
        for part, mesh, own_targets, own_shapes in zip(parts, splits, targets, shapes, strict=True):
            rows = mesh.source
            if part.name == "skin" or moves[rows].any():
                moved, tilted = file.sparse(offsets[rows], moves[rows]), file.sparse(turned[rows], turns[rows])
                own_targets.append({"POSITION": moved, "NORMAL": tilted})
                own_shapes.append(number)
    names, meshes = shape_names(assets.shape), []
    for number, (part, mesh) in enumerate(zip(parts, splits, strict=True)):
        primitive = {**_primitive(file, assets, mesh, template, normals), "material": number}
        if part.relief is not None:
            mine = (template[mesh.source], normals[mesh.source], mesh.uv_coords, mesh.faces)
            primitive["attributes"]["TANGENT"] = file.accessor(vertex_tangents(*mine), VERTEX_DATA)
        entry: dict[str, Any] = {"name": f"{_plain(assets.name)}_{part.name}_mesh", "primitives": [primitive]}
        if shapes[number]:
            primitive["targets"] = targets[number]
            entry["weights"] = [0.0] * len(shapes[number])
            entry["extras"] = {"targetNames": [names[shape] for shape in shapes[number]]}
        meshes.append(entry)
    return meshes, shapes


def _primitive(
    file: GlbFile, assets: HeadAssets, mesh: SplitMesh, template: np.ndarray, normals: np.ndarray
) -> dict[str, Any]:
    attributes = {
        "POSITION": file.accessor(template[mesh.source], VERTEX_DATA),
        "NORMAL": file.accessor(normals[mesh.source], VERTEX_DATA),
        "TEXCOORD_0": file.accessor((mesh.uv_coords * [1, -1] + [0, 1]).astype(np.float32), VERTEX_DATA),
        **_skin_attributes(file, assets.shape.skin_weights.numpy()[mesh.source]),
    }
    indices = file.accessor(small_indices(mesh.faces.ravel(), len(mesh.source)), INDEX_DATA)
    return {"attributes": attributes, "indices": indices}


def _skin_attributes(file: GlbFile, skin_weights: np.ndarray) -> dict[str, int]:
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
        attributes[f"JOINTS_{number}"] = file.accessor(order[:, part].astype(np.uint8), VERTEX_DATA)
        attributes[f"WEIGHTS_{number}"] = file.accessor(weights[:, part].astype(np.float32), VERTEX_DATA)
    return attributes


def _materials(file: GlbFile, parts: tuple[TexturedPart, ...]) -> dict[str, Any]:
    """A material for each part with its color, and where they vary its roughness and relief."""
    images: list[dict[str, Any]] = []

    def texture(name: str, image: np.ndarray) -> dict[str, int]:
        images.append({"name": name, "mimeType": "image/jpeg", "bufferView": file.view(encoded(image))})
        return {"index": len(images) - 1}

    materials = []
    for part in parts:
        surface: dict[str, Any] = {"metallicFactor": 0.0}
        material = {"name": part.name, "pbrMetallicRoughness": surface, "doubleSided": True}
        surface["baseColorTexture"] = texture(f"{part.name}_color", part.color)
        if is_plain(part.roughness):
            surface["roughnessFactor"] = round(float(part.roughness.flat[0]) / 255, 3)
        else:
            # Green is roughness; red stays free for occlusion, blue is metal, of which there is none.
            packed = np.stack([np.full_like(part.roughness, 255), part.roughness, np.zeros_like(part.roughness)], 2)
            surface["metallicRoughnessTexture"] = texture(f"{part.name}_roughness", packed)
        if part.relief is not None:
            material["normalTexture"] = texture(f"{part.name}_normal", part.relief)
        materials.append(material)
    return {
        "materials": materials,
        "images": images,
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}],
        "textures": [{"source": number, "sampler": 0} for number in range(len(images))],
    }


def _animation(file: GlbFile, head: HeadModel, motion: Motion, shapes: list[list[int]], root: int) -> dict[str, Any]:
    animation = GlbAnimation(file, motion.fps)
    weights = shape_weights(head.shape, motion)
    for node, numbers in enumerate(shapes):
        if numbers:
            animation.weights(node, weights if len(numbers) == weights.shape[1] else weights[:, numbers])
    places, rotations = joint_places(head, motion), joint_rotations(motion)
    for joint in range(len(JOINT_NAMES)):
        if joint == 0 or np.ptp(places[:, joint], axis=0).any():
            animation.translations(root + joint, places[:, joint])
        animation.rotations(root + joint, rotations[:, joint][:, [1, 2, 3, 0]])
    return animation.document("performance")
