"""Regions and rest shape of a mesh that is no head of facetalk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import NUM_IBUG
from facetalk.core.text_values import parse_json
from facetalk.head.model import HeadModel
from facetalk.io.mesh_sequence import FRAME_SUFFIXES, read_mesh
from facetalk.io.npy import ArrayFileError, read_npy
from facetalk.io.pickles import read_arrays

NAMES: Mapping[str, tuple[str, ...]] = {
    "lips": ("lips", "lve"),
    "upper_face": ("upper_face", "fdd"),
    "skin": ("skin", "face"),
}
"""Regions that metrics ask for, and their names in files: ours, and those of published region files."""

COMPOSED = {"upper_face": ("forehead", "eye_region")}
"""Regions that FLAME's published masks divide."""

_MOST_TEXT = 1 << 22


@dataclass(frozen=True, eq=False)
class MeshLayout:
    """What is known about the vertices of a mesh."""

    regions: Mapping[str, Int64[Tensor, " members"]] = field(default_factory=dict)
    landmarks: Int64[Tensor, "68"] | None = None
    """Vertices that stand for the 68 landmarks."""
    templates: Mapping[str, Float[Tensor, "vertices 3"]] = field(default_factory=dict)
    """Faces at rest by speaker; one for everybody under an empty name."""

    def template_of(self, clip: str) -> Float[Tensor, "vertices 3"] | None:
        """The face at rest of the speaker whose name a clip's name starts with."""
        names = [name for name in self.templates if clip.startswith(name)]
        return self.templates[max(names, key=len)] if names else None

    def check(self, path: Path, num_vertices: int) -> None:
        """Refuse a layout that is for another mesh.

        Raises:
            FacetalkError: a region or a template does not fit.
        """
        sets = dict(self.regions) | ({} if self.landmarks is None else {"landmarks": self.landmarks})
        for name, members in sets.items():
            if int(members.max()) >= num_vertices:
                raise FacetalkError(
                    f"{path} has {num_vertices} vertices; the region {name!r} of --regions names vertex {members.max()}"
                )
        for name, template in self.templates.items():
            if len(template) != num_vertices:
                raise FacetalkError(f"{path} has {num_vertices} vertices, the template {name!r} has {len(template)}")


def read_layout(regions: Path | str | None, template: Path | str | None) -> MeshLayout | None:
    """Read a file of regions and a file with the face at rest.

    Args:
        regions: lists of vertex numbers by name, as JSON, `.npz` or a pickle of arrays (FLAME's masks), or a folder of
            `lve.txt` and `fdd.txt`. Names as in `NAMES`; `landmarks` are 68 vertices, `template` is the face at rest.
        template: an OBJ, PLY or `.npy` mesh, or a pickle of meshes by speaker (VOCASET's and BIWI's `templates.pkl`).

    Returns:
        None if neither is given.
    """
    if regions is None and template is None:
        return None
    values = {} if regions is None else _read_values(Path(regions))
    templates = {} if "template" not in values else {"": _mesh(values["template"], f"template of {regions}")}
    if template is not None:
        templates = _read_templates(Path(template))
    found = {}
    for name, known in NAMES.items():
        parts = [values[given] for given in known if given in values][:1]
        parts = parts or [values[part] for part in COMPOSED.get(name, ()) if part in values]
        if parts:
            found[name] = torch.cat([_members(part, f"the region {name!r} of {regions}") for part in parts]).unique()
    landmarks = None
    if "landmarks" in values:
        landmarks = _members(values["landmarks"], f"landmarks of {regions}")
        if len(landmarks) != NUM_IBUG:
            raise FacetalkError(f"{regions} names {len(landmarks)} landmarks; {NUM_IBUG} are needed, in iBUG's order")
    if regions is not None and not found and landmarks is None:
        known = ", ".join(dict.fromkeys(name for names in NAMES.values() for name in names))
        raise FacetalkError(f"{regions} names none of the regions that metrics ask for: {known}, landmarks")
    return MeshLayout(found, landmarks, templates)


def head_layout(head: HeadModel) -> MeshLayout:
    """The layout of a head of facetalk; its landmarks lie between vertices."""
    return MeshLayout({name: head.points.regions[name] for name in NAMES})


def _read_values(path: Path) -> Mapping[str, Any]:
    if path.is_dir():
        lists = {name: path / f"{name}.txt" for name in ("lve", "fdd")}
        return {name: _read_list(file) for name, file in lists.items() if file.is_file()}
    if path.suffix.lower() == ".json":
        values = parse_json(_read_text(path), str(path))
        if not isinstance(values, dict):
            raise FacetalkError(f"{path} must be a JSON object with lists of vertex numbers by name")
        return values
    return read_arrays(path)


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise FacetalkError(f"no such file: {path}")
    if path.stat().st_size > _MOST_TEXT:
        raise FacetalkError(f"{path} has {path.stat().st_size >> 20} MiB; regions have at most {_MOST_TEXT >> 20}")
    return path.read_text("utf-8", errors="replace")


def _read_list(path: Path) -> list[int]:
    words = _read_text(path).replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        raise FacetalkError(f"{path} must hold vertex numbers between commas")
    return [int(word) for word in words]


def _members(values: Any, where: str) -> Int64[Tensor, " members"]:
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.zeros(0)
    if array.ndim != 1 or len(array) == 0 or array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 1e8:
        raise FacetalkError(f"{where} must be a list of vertex numbers from 0 on")
    return torch.from_numpy(array.astype(np.int64))


def _mesh(values: Any, where: str) -> Float[Tensor, "vertices 3"]:
    try:
        array = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        array = np.zeros(0, np.float32)
    array = array.reshape(-1, 3) if array.size and array.size % 3 == 0 else array
    if array.ndim != 2 or not len(array) or not np.isfinite(array).all():
        raise FacetalkError(f"{where} must be the vertices of a mesh")
    return torch.from_numpy(np.ascontiguousarray(array))


def _read_templates(path: Path) -> dict[str, Float[Tensor, "vertices 3"]]:
    if not path.is_file():
        raise FacetalkError(f"no such file: {path}")
    if path.suffix.lower() in FRAME_SUFFIXES:
        return {"": torch.from_numpy(read_mesh(path))}
    if path.suffix.lower() == ".npy":
        try:
            return {"": _mesh(read_npy(path), str(path))}
        except ArrayFileError as error:
            raise FacetalkError(f"{path} is not a mesh: {error}") from None
    return {str(name): _mesh(values, f"{name} in {path}") for name, values in read_arrays(path).items()}
