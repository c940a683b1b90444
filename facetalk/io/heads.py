"""Heads by name, and the folder of the bundled head: `model.safetensors`, `texture.png` and `layers.png`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.looks import Look, with_look
from facetalk.head.surface_points import SurfacePoints
from facetalk.io.files import replacing
from facetalk.io.weights import MODEL_FILE, bundled, read_metadata, read_tensors, write_tensors

BUNDLED_HEADS = {"facetalk": "facetalk-head"}
"""Head names a user can give, and the weights folder of each."""

_INTEGERS = ("faces", "corrective_pairs", "uv_faces", "mediapipe_ids")
_FLOATS = (
    "template", "identity_dirs", "joints", "joint_identity_dirs", "skin_weights", "colors", "gloss", "uv_coords",
)  # fmt: skip
_LOCAL = ("expression_dirs", "corrective_dirs")
"""Directions that move few vertices: only those are stored."""
_SHAPE = (
    "template", "identity_dirs", "expression_dirs", "faces", "joints", "joint_identity_dirs", "skin_weights",
    "corrective_dirs", "corrective_pairs",
)  # fmt: skip
_APPEARANCE = ("colors", "gloss", "uv_coords", "uv_faces")
_SMALLEST_MOVE_M = 2e-6
_TEXTURES = {"texture": "texture.png", "texture_layers": "layers.png"}


KINDS = ("flame", "ict", "gnm")
"""Head models that are read from a user's own file, given as `KIND:PATH`."""


def read_head(name: str, look: Look | None = None) -> HeadAssets:
    """Assets of a head by name.

    Args:
        name: a bundled head, one that `facetalk heads install` put in place, or `flame:PATH`, `ict:PATH`, `gnm:PATH`.
        look: colors of skin, eyes and hair; heads of other publishers take theirs from the bundled head.
    """
    look = look or Look()
    if name in BUNDLED_HEADS:
        return with_look(read_head_folder(bundled(BUNDLED_HEADS[name])), look)
    from facetalk.io.installed import installed_heads  # only names that are not bundled need it

    installed = installed_heads()
    if name in installed:
        return read_foreign_head(installed[name].kind, installed[name].path, name, look)
    kind, separator, path = name.partition(":")
    if separator and kind in KINDS:
        # A motion names its head by kind and file name; an installed head of that file serves it.
        same = [head for head in installed.values() if head.kind == kind and Path(head.file).stem == path]
        if same and not Path(path).expanduser().exists():
            return read_foreign_head(kind, same[0].path, name, look)
        return read_foreign_head(kind, Path(path).expanduser(), look=look)
    known = ", ".join([*BUNDLED_HEADS, *installed])
    raise UsageError(f"unknown head {name!r}; known heads: {known}, or flame:PATH, ict:PATH, gnm:PATH")


def identity_names(name: str) -> tuple[str, ...]:
    """Names of a head's identity coefficients; of a bundled head without reading its arrays."""
    if name in BUNDLED_HEADS:
        return tuple(json.loads(read_metadata(bundled(BUNDLED_HEADS[name]) / MODEL_FILE)["head"])["identity_names"])
    return read_head(name).identity_names


def read_foreign_head(kind: str, path: Path, name: str | None = None, look: Look | None = None) -> HeadAssets:
    """Assets of a head model of another publisher.

    Args:
        kind: one of `KINDS`.
        path: its file or folder.
        name: by which motions refer to the head; made of kind and file name if not given.
        look: colors of the bundled head, from which this one's are taken.
    """
    reference = read_head("facetalk", look)
    if kind == "flame":
        from facetalk.io.flame import read_flame

        return read_flame(path, reference, name)
    if kind == "ict":
        from facetalk.io.ict import read_ict

        return read_ict(path, reference, name)
    if kind == "gnm":
        from facetalk.io.gnm import read_gnm

        return read_gnm(path, reference, name)
    raise UsageError(f"unknown kind of head {kind!r}; known: {', '.join(KINDS)}")


def read_head_folder(folder: Path) -> HeadAssets:
    """Assets written by `write_head_folder`."""
    tensors, metadata = read_tensors(folder / "model.safetensors")
    try:
        described = json.loads(metadata["head"])
        arrays: dict[str, Any] = {key: tensors[key].float() for key in _FLOATS}
        arrays |= {key: tensors[key].long() for key in _INTEGERS}
        arrays |= {key: _read_local(tensors, key, len(arrays["template"])) for key in _LOCAL}
        images = {
            field: np.asarray(Image.open(folder / name).convert("RGB"))
            for field, name in _TEXTURES.items()
            if (folder / name).is_file()
        }
        regions = {key[len("region.") :]: value.long() for key, value in tensors.items() if key.startswith("region.")}
        return HeadAssets(
            name=described["name"],
            shape=HeadShape(
                identity_names=tuple(described["identity_names"]),
                expression_names=tuple(described["expression_names"]),
                **{key: arrays[key] for key in _SHAPE},
            ),
            points=HeadPoints(
                landmarks=_read_points(tensors, "landmarks"),
                mediapipe=_read_points(tensors, "mediapipe"),
                mediapipe_ids=arrays["mediapipe_ids"],
                regions=regions,
                detector_bias=tensors["detector_bias"].float() if "detector_bias" in tensors else None,
            ),
            appearance=HeadAppearance(**{key: arrays[key] for key in _APPEARANCE}, **images),
            meta=described.get("meta", {}),
        )
    except KeyError as error:
        raise FacetalkError(f"{folder} is not a facetalk head: {error} is missing") from None


def _read_points(tensors: dict[str, torch.Tensor], key: str) -> SurfacePoints:
    return SurfacePoints(tensors[f"{key}.triangles"].long(), tensors[f"{key}.barycentric"].float())


def _read_local(tensors: dict[str, torch.Tensor], key: str, num_vertices: int) -> torch.Tensor:
    """Directions written by `_local`, (n, vertices, 3)."""
    moved = np.unpackbits(tensors[f"{key}.moved"].numpy(), axis=1, count=num_vertices).astype(bool)
    dirs = torch.zeros(*moved.shape, 3)
    dirs[torch.from_numpy(moved)] = tensors[f"{key}.values"].float()
    return dirs


def _local(key: str, dirs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Directions as one bit per vertex that says whether it moves, and the displacements of those that do."""
    moved = dirs.abs().amax(2) > _SMALLEST_MOVE_M
    bits = torch.from_numpy(np.packbits(moved.numpy(), axis=1))
    return {f"{key}.moved": bits, f"{key}.values": dirs[moved].half()}


def write_head_folder(folder: Path, assets: HeadAssets) -> None:
    """Write the head's arrays and texture; displacements in half precision, which rounds by less than 0.01 mm."""
    if assets.shape.corrective_dirs is None or assets.shape.corrective_pairs is None:
        raise ValueError(f"head {assets.name!r} has no correctives; only the bundled head has a folder")
    fields = {**vars(assets.shape), **vars(assets.points), **vars(assets.appearance)}
    tensors = {key: fields[key].to(torch.float32) for key in _FLOATS}
    tensors["identity_dirs"] = tensors["identity_dirs"].half()
    tensors |= _local("expression_dirs", assets.shape.expression_dirs) | _local(
        "corrective_dirs", assets.shape.corrective_dirs
    )
    tensors |= {key: fields[key].to(torch.int32) for key in _INTEGERS}
    if assets.points.detector_bias is not None:
        tensors["detector_bias"] = assets.points.detector_bias.half()
    for key in ("landmarks", "mediapipe"):
        points = fields[key]
        tensors[f"{key}.triangles"] = points.triangles.to(torch.int32)
        tensors[f"{key}.barycentric"] = points.barycentric.to(torch.float32)
    tensors |= {f"region.{name}": members.to(torch.int32) for name, members in assets.points.regions.items()}
    described = {
        "name": assets.name,
        "identity_names": assets.shape.identity_names,
        "expression_names": assets.shape.expression_names,
        "meta": dict(assets.meta),
    }
    write_tensors(folder / "model.safetensors", tensors, {"head": json.dumps(described)})
    for field, name in _TEXTURES.items():
        if fields[field] is not None:
            with replacing(folder / name) as temporary:
                Image.fromarray(fields[field]).save(temporary, optimize=True)
