"""The nodes of a glTF file as a tree: parents before children, each with its place relative to its parent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from facetalk.core.rotations import matrix_to_quaternion, quaternion_to_matrix
from facetalk.io.gltf import GltfFile

_LARGEST = 1e9
"""Of the numbers of a transform."""
_MOST_NODES, _MOST_LEVELS = 20_000, 500


@dataclass(frozen=True, eq=False)
class NodeTree:
    """Names, parents and rest pose of all nodes."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """Number of each node's parent; -1 for none."""
    order: tuple[int, ...]
    """All nodes, parents before their children."""
    rotations: Float[np.ndarray, "nodes 4"]
    """Unit quaternions (x, y, z, w) relative to the parent."""
    translations: Float[np.ndarray, "nodes 3"]
    scales: Float[np.ndarray, "nodes 3"]
    is_matrix: tuple[bool, ...]
    """Nodes whose transform is stated as a matrix, which an animation cannot turn."""

    def ancestors(self, node: int) -> list[int]:
        """A node and all above it, upwards."""
        found = [node]
        while self.parents[found[-1]] >= 0:
            found.append(self.parents[found[-1]])
        return found

    def below(self, top: int) -> set[int]:
        """A node and all below it."""
        found = {top}
        for node in self.order:
            if self.parents[node] in found:
                found.add(node)
        return found

    @cached_property
    def local(self) -> Float[np.ndarray, "nodes 4 4"]:
        """Transform of each node relative to its parent, at rest: it scales, then turns, then moves."""
        matrices = np.tile(np.eye(4), (len(self.names), 1, 1))
        matrices[:, :3, :3] = rotation_matrix(self.rotations) * self.scales[:, None]
        matrices[:, :3, 3] = self.translations
        return matrices

    @cached_property
    def world(self) -> Float[np.ndarray, "nodes 4 4"]:
        """Transform of each node at rest."""
        places = self.local.copy()
        for node in self.order:
            if self.parents[node] >= 0:
                places[node] = places[self.parents[node]] @ places[node]
        return places

    def turned(self, node: int) -> Float[np.ndarray, "3 3"]:
        """Rotation of a node at rest, without the scales on the way."""
        matrix = np.eye(3)
        for above in self.ancestors(node):
            matrix = rotation_matrix(self.rotations[above]) @ matrix
        return matrix


def read_nodes(file: GltfFile) -> NodeTree:
    """Read the nodes.

    Raises:
        GltfError: a node has several parents or is its own ancestor, or a transform is not one.
    """
    nodes = file.table("nodes")
    if len(nodes) > _MOST_NODES:
        raise file.error(f"it has {len(nodes)} nodes; at most {_MOST_NODES} are read")
    parents = [-1] * len(nodes)
    for number, node in enumerate(nodes):
        children = node.get("children", [])
        if not isinstance(children, list):
            raise file.error(f"the children of node {number} are not a list")
        for child in children:
            child = file.index(child, len(nodes), f"node {number}")
            if parents[child] >= 0 or child == number:
                raise file.error(f"node {child} has several parents; the nodes must be trees")
            parents[child] = number
    order = [number for number, parent in enumerate(parents) if parent < 0]
    for number in order:  # it grows meanwhile
        order += nodes[number].get("children", [])
    if len(order) < len(nodes):
        raise file.error("some of its nodes are their own ancestors; the nodes must be trees")
    levels = [0] * len(nodes)
    for number in order:
        levels[number] = 1 + (levels[parents[number]] if parents[number] >= 0 else 0)
    if max(levels, default=0) > _MOST_LEVELS:
        raise file.error(f"its nodes have {max(levels)} levels; at most {_MOST_LEVELS} are read")
    parts = [_parts(file, node, number) for number, node in enumerate(nodes)]
    names = tuple(name if isinstance(name := node.get("name"), str) else "" for node in nodes)
    rotations, translations, scales = (
        np.array([part[index] for part in parts]).reshape(len(nodes), width) for index, width in enumerate((4, 3, 3))
    )
    is_matrix = tuple("matrix" in node for node in nodes)
    return NodeTree(names, tuple(parents), tuple(order), rotations, translations, scales, is_matrix)


def _parts(file: GltfFile, node: dict[str, Any], number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotation, translation and scale of a node."""
    if "matrix" in node:
        return _decomposed(_numbers(file, node, "matrix", 16, number).reshape(4, 4).T)
    rotation = _numbers(file, node, "rotation", 4, number, [0, 0, 0, 1])
    length = np.linalg.norm(rotation)
    if length < 1e-6:
        raise file.error(f"the rotation of node {number} is zero")
    translation = _numbers(file, node, "translation", 3, number, [0, 0, 0])
    return rotation / length, translation, _numbers(file, node, "scale", 3, number, [1, 1, 1])


def _numbers(
    file: GltfFile, node: dict[str, Any], name: str, count: int, number: int, default: list[int] | None = None
) -> np.ndarray:
    values = node.get(name, default)
    fits = isinstance(values, list) and len(values) == count
    if not fits or not all(isinstance(value, int | float) and abs(value) <= _LARGEST for value in values):
        raise file.error(f"the {name} of node {number} is not {count} numbers")
    return np.array(values, np.float64)


def _decomposed(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scale = np.linalg.norm(matrix[:3, :3], axis=0)
    safe = np.where(scale > 1e-12, scale, 1.0)
    if np.linalg.det(matrix[:3, :3]) < 0:
        safe[0], scale[0] = -safe[0], -scale[0]
    left, _, right = np.linalg.svd(matrix[:3, :3] / safe)
    left[:, 2] *= np.sign(np.linalg.det(left @ right))  # a flat matrix may be a reflection
    return quaternion(left @ right), matrix[:3, 3], scale


def rotation_matrix(rotation: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 3 3"]:
    """Rotation matrices of unit quaternions (x, y, z, w)."""
    return quaternion_to_matrix(torch.from_numpy(rotation[..., [3, 0, 1, 2]])).numpy()


def quaternion(matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "4"]:
    """Unit quaternion (x, y, z, w) of a rotation matrix."""
    return matrix_to_quaternion(torch.from_numpy(matrix)).numpy()[[1, 2, 3, 0]]
