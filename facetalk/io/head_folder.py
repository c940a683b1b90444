"""The bundled head's folder: `model.safetensors` with its arrays, `texture.png` and `layers.png`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from facetalk.core.errors import FacetalkError
from facetalk.head.assets import HeadAppearance, HeadAssets, HeadPoints, HeadShape
from facetalk.head.surface_points import SurfacePoints
from facetalk.io.files import replacing
from facetalk.io.weights import MODEL_FILE, read_metadata, read_tensors, write_tensors

_INTEGERS = ("faces", "corrective_pairs", "uv_faces", "mediapipe_ids")
_FLOATS = (
    "template", "identity_dirs", "joints", "joint_identity_dirs", "skin_weights", "colors", "gloss", "uv_coords",
)  # fmt: skip
_SPARSE = ("expression_dirs", "corrective_dirs")
"""Directions that leave most vertices where they are; only the vertices that move are stored."""
_SHAPE = (
    "template", "identity_dirs", "expression_dirs", "faces", "joints", "joint_identity_dirs", "skin_weights",
    "corrective_dirs", "corrective_pairs",
)  # fmt: skip
_APPEARANCE = ("colors", "gloss", "uv_coords", "uv_faces")
_SMALLEST_MOVE_M = 2e-6
_TEXTURES = {"texture": "texture.png", "texture_layers": "layers.png"}


def read_identity_names(folder: Path) -> tuple[str, ...]:
    """Read the names of the identity coefficients without the head's arrays."""
    return tuple(json.loads(read_metadata(folder / MODEL_FILE)["head"])["identity_names"])


def read_head_folder(folder: Path) -> HeadAssets:
    """Read the assets that `write_head_folder` wrote."""
    tensors, metadata = read_tensors(folder / MODEL_FILE)
    try:
        described = json.loads(metadata["head"])
        arrays: dict[str, Any] = {key: tensors[key].float() for key in _FLOATS}
        arrays |= {key: tensors[key].long() for key in _INTEGERS}
        arrays |= {key: _read_sparse(tensors, key, len(arrays["template"])) for key in _SPARSE}
        images: dict[str, Any] = {
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


def _read_sparse(tensors: dict[str, torch.Tensor], key: str, num_vertices: int) -> torch.Tensor:
    """Return directions stored by `_sparse`, (n, vertices, 3)."""
    moved = np.unpackbits(tensors[f"{key}.moved"].numpy(), axis=1, count=num_vertices).astype(bool)
    dirs = torch.zeros(*moved.shape, 3)
    dirs[torch.from_numpy(moved)] = tensors[f"{key}.values"].float()
    return dirs


def _sparse(key: str, dirs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Encode directions as one bit per vertex that says whether it moves, and the displacements of those that do."""
    moved = dirs.abs().amax(2) > _SMALLEST_MOVE_M
    bits = torch.from_numpy(np.packbits(moved.numpy(), axis=1))
    return {f"{key}.moved": bits, f"{key}.values": dirs[moved].half()}


def write_head_folder(folder: Path, assets: HeadAssets) -> None:
    """Write a head's arrays and texture; displacements in half precision, which rounds by less than 0.01 mm."""
    if assets.shape.corrective_dirs is None or assets.shape.corrective_pairs is None:
        raise ValueError(f"head {assets.name!r} has no correctives; only the bundled head has a folder")
    fields = {**vars(assets.shape), **vars(assets.points), **vars(assets.appearance)}
    tensors = {key: fields[key].to(torch.float32) for key in _FLOATS}
    tensors["identity_dirs"] = tensors["identity_dirs"].half()
    tensors |= _sparse("expression_dirs", assets.shape.expression_dirs) | _sparse(
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
    write_tensors(folder / MODEL_FILE, tensors, {"head": json.dumps(described)})
    for field, name in _TEXTURES.items():
        if fields[field] is not None:
            with replacing(folder / name) as temporary:
                Image.fromarray(fields[field]).save(temporary, optimize=True)
