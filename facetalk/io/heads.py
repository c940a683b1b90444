"""Heads by name, and the bundled head's files: `model.safetensors` with the arrays of `HeadAssets`, `texture.png`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.head.model import HeadAssets, SurfacePoints
from facetalk.io.files import replacing
from facetalk.io.weights import bundled, read_tensors, write_tensors

BUNDLED_HEADS = {"facetalk": "facetalk-head"}
"""Head names a user can give, and the weights folder of each."""

_FLOATS = (
    "template", "identity_dirs", "expression_dirs", "joints", "joint_identity_dirs", "skin_weights", "colors", "gloss",
    "uv_coords",
)  # fmt: skip
_INTEGERS = ("faces", "uv_faces", "mediapipe_ids")


KINDS = ("flame", "ict", "gnm")
"""Head models that are read from a user's own file: `KIND:PATH`."""


def read_head(name: str) -> HeadAssets:
    """Assets of a head by name.

    Args:
        name: a bundled head, one that `facetalk heads install` put in place, or `flame:PATH`, `ict:PATH`, `gnm:PATH`.
    """
    if name in BUNDLED_HEADS:
        return read_head_folder(bundled(BUNDLED_HEADS[name]))
    from facetalk.io.installed import installed_heads  # only names that are not bundled need it

    installed = installed_heads()
    if name in installed:
        return read_foreign_head(installed[name].kind, installed[name].path, name)
    kind, separator, path = name.partition(":")
    if separator and kind in KINDS:
        # A motion names its head by kind and file name; an installed head of that file serves it.
        same = [head for head in installed.values() if head.kind == kind and Path(head.file).stem == path]
        if same and not Path(path).expanduser().exists():
            return read_foreign_head(kind, same[0].path, name)
        return read_foreign_head(kind, Path(path).expanduser())
    known = ", ".join([*BUNDLED_HEADS, *installed])
    raise UsageError(f"unknown head {name!r}; known heads: {known}, or flame:PATH, ict:PATH, gnm:PATH")


def read_foreign_head(kind: str, path: Path, name: str | None = None) -> HeadAssets:
    """Assets of a head model of another publisher.

    Args:
        kind: one of `KINDS`.
        path: its file or folder.
        name: by which motions refer to it; made of kind and file name, if not given.
    """
    reference = read_head("facetalk")
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
        points = {
            key: SurfacePoints(tensors[f"{key}.triangles"].long(), tensors[f"{key}.barycentric"].float())
            for key in ("landmarks", "mediapipe")
        }
        texture_path = folder / "texture.png"
        texture = np.asarray(Image.open(texture_path).convert("RGB")) if texture_path.is_file() else None
        regions = {key[len("region.") :]: value.long() for key, value in tensors.items() if key.startswith("region.")}
        return HeadAssets(
            name=described["name"],
            identity_names=tuple(described["identity_names"]),
            expression_names=tuple(described["expression_names"]),
            regions=regions,
            texture=texture,
            meta=described.get("meta", {}),
            detector_bias=tensors["detector_bias"].float() if "detector_bias" in tensors else None,
            **points,
            **arrays,
        )
    except KeyError as error:
        raise FacetalkError(f"{folder} is not a facetalk head: {error} is missing") from None


def write_head_folder(folder: Path, assets: HeadAssets) -> None:
    """Write the head's arrays and texture; displacements in half precision, which rounds by less than 0.01 mm."""
    tensors = {key: getattr(assets, key).to(torch.float32) for key in _FLOATS}
    tensors |= {key: tensors[key].half() for key in ("identity_dirs", "expression_dirs")}
    tensors |= {key: getattr(assets, key).to(torch.int32) for key in _INTEGERS}
    if assets.detector_bias is not None:
        tensors["detector_bias"] = assets.detector_bias.half()
    for key in ("landmarks", "mediapipe"):
        points = getattr(assets, key)
        tensors[f"{key}.triangles"] = points.triangles.to(torch.int32)
        tensors[f"{key}.barycentric"] = points.barycentric.to(torch.float32)
    tensors |= {f"region.{name}": members.to(torch.int32) for name, members in assets.regions.items()}
    described = {
        "name": assets.name,
        "identity_names": assets.identity_names,
        "expression_names": assets.expression_names,
        "meta": dict(assets.meta),
    }
    write_tensors(folder / "model.safetensors", tensors, {"head": json.dumps(described)})
    if assets.texture is not None:
        with replacing(folder / "texture.png") as temporary:
            Image.fromarray(assets.texture).save(temporary, optimize=True)
