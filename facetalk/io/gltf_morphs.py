"""Morph targets of a glTF file: which nodes have them, what they are called and how far they are moved at rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from facetalk.io.gltf import GltfFile, is_whole

_MOST_TARGETS, _MOST_TARGETS_IN_ALL = 2000, 100_000


@dataclass(frozen=True)
class MorphMesh:
    """A node whose mesh has morph targets."""

    node: int
    name: str
    target_names: tuple[str, ...]
    defaults: tuple[float, ...]
    """Weights without any animation."""


def morph_meshes(file: GltfFile) -> tuple[MorphMesh, ...]:
    """The nodes with morph targets, and the names of these where the file has them."""
    found, total = [], 0
    for number, node in enumerate(file.table("nodes")):
        if "mesh" not in node:
            continue
        mesh = file.numbered("meshes", node["mesh"], f"node {number}")
        primitives = file.objects(mesh, "primitives", f"mesh {node['mesh']}")
        counts = {len(file.objects(primitive, "targets", f"mesh {node['mesh']}")) for primitive in primitives}
        count = max(counts, default=0)
        if count == 0:
            continue
        total += count
        if count > _MOST_TARGETS or total > _MOST_TARGETS_IN_ALL:
            raise file.error(f"it has {total} morph targets; a mesh may have {_MOST_TARGETS} at most")
        if len(counts) > 1:
            raise file.error(f"the primitives of mesh {node['mesh']} have different numbers of morph targets")
        name = next((text for text in (node.get("name"), mesh.get("name")) if isinstance(text, str) and text), "")
        defaults = _defaults(file, node.get("weights", mesh.get("weights")), count, number)
        found.append(
            MorphMesh(number, name or f"node {number}", _target_names(file, mesh, primitives, count), defaults)
        )
    return tuple(found)


def _target_names(
    file: GltfFile, mesh: dict[str, Any], primitives: Sequence[dict[str, Any]], count: int
) -> tuple[str, ...]:
    """Names of the morph targets, from where programs put them; empty where there is none."""
    for holder in (mesh, *primitives):
        extras = holder.get("extras")
        names = extras.get("targetNames") if isinstance(extras, dict) else None
        if isinstance(names, list):
            texts = [name if isinstance(name, str) else "" for name in names[:count]]
            return tuple(texts + [""] * (count - len(texts)))
    accessors = file.table("accessors")
    targets = [target.get("POSITION") for target in file.objects(primitives[0], "targets", "a mesh")]
    holders = [accessors[number] if is_whole(number) and number < len(accessors) else {} for number in targets]
    return tuple(name if isinstance(name := holder.get("name"), str) else "" for holder in holders)


def _defaults(file: GltfFile, weights: object, count: int, node: int) -> tuple[float, ...]:
    if weights is None:
        return (0.0,) * count
    if (
        not isinstance(weights, list)
        or len(weights) != count
        or not all(isinstance(weight, int | float) and abs(weight) < 1e3 for weight in weights)
    ):
        raise file.error(f"the weights of node {node} are not {count} numbers")
    return tuple(float(weight) for weight in weights)
