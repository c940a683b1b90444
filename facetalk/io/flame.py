"""FLAME files as published: FLAME 2020, 2023 and 2023 Open, `.pkl` or `.npz`, with the landmark files next to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.landmarks import NUM_MESH_POINTS
from facetalk.head.flame import (
    NUM_IDENTITY,
    NUM_POSE_FEATURES,
    NUM_VERTICES,
    Embedding,
    FlameArrays,
    FlameExtras,
)
from facetalk.head.skinning import JOINT_PARENTS
from facetalk.io.named_arrays import LARGEST
from facetalk.io.pickles import read_arrays

FILE_NAMES = ("flame2023_Open.pkl", "flame2023.pkl", "generic_model.pkl", "FLAME_NEUTRAL.pkl")
"""Published names of the model file, preferred ones first."""

LANDMARK_FILES = ("landmark_embedding.npy", "landmark_embedding_with_eyes.npy", "flame_static_embedding.pkl",
                  "flame_static_embedding_68.pkl", "flame_dynamic_embedding.npy")  # fmt: skip
MEDIAPIPE_FILE = "mediapipe_landmark_embedding.npz"
MASK_FILE = "FLAME_masks.pkl"

HOW_TO_GET = (
    "register at https://flame.is.tue.mpg.de, download FLAME 2023 Open (CC-BY-4.0), unpack it and give "
    "flame2023_Open.pkl as --head flame:PATH"
)

_KEYS = {
    "template": ("v_template",),
    "shape": ("shapedirs",),
    "expression": ("expressiondirs", "expression_dirs", "exprdirs", "expressedirs"),
    "pose": ("posedirs",),
    "regressor": ("J_regressor",),
    "weights": ("weights", "lbs_weights"),
    "faces": ("f", "faces", "faces_tensor"),
    "parents": ("kintree_table", "parents"),
}


def find_flame(path: Path) -> Path:
    """Find the model file at a path, or the preferred one in a folder."""
    if path.is_dir():
        for name in FILE_NAMES:
            if (path / name).is_file():
                return path / name
        raise MissingAssetError(f"no FLAME model in {path} (looked for {', '.join(FILE_NAMES)}); {HOW_TO_GET}")
    if not path.is_file():
        raise MissingAssetError(f"no FLAME file at {path} and none of that name is installed; {HOW_TO_GET}")
    return path


def read_flame(path: Path) -> FlameArrays:
    """Read the arrays of a FLAME model file."""
    arrays = read_flame_arrays(path)
    if len(arrays.template) != NUM_VERTICES:
        raise FacetalkError(f"{path} has {len(arrays.template)} vertices; a FLAME mesh has {NUM_VERTICES}")
    return arrays


def read_flame_arrays(path: Path) -> FlameArrays:
    """Read the arrays of a file in FLAME's structure, whatever its number of vertices."""
    values = read_arrays(path)
    present = {part for part, keys in _KEYS.items() if any(key in values for key in keys)}
    missing = [keys[0] for part, keys in _KEYS.items() if part not in present and part != "expression"]
    if missing:
        hint = "this is the identity part only; " if "shapedirs" in values else ""
        raise FacetalkError(f"{path} is not a whole FLAME model: {', '.join(missing)} missing; {hint}{HOW_TO_GET}")
    found = {part: _array(path, values, keys) for part, keys in _KEYS.items() if part in present}
    if found["template"].ndim != 2 or found["pose"].ndim not in (2, 3):
        raise FacetalkError(f"{path}: v_template or posedirs has another shape than in a FLAME model")
    num_vertices = len(found["template"])
    _check_tree(path, found["parents"])
    identity, expression = _split_shape(path, found)
    pose = found["pose"]
    pose = pose.reshape(-1, pose.shape[2]) if pose.ndim == 3 else pose.T
    arrays = {
        "template": (found["template"], (num_vertices, 3)),
        "identity": (identity, (num_vertices, 3, identity.shape[-1])),
        "expression": (expression, (num_vertices, 3, expression.shape[-1])),
        "pose": (pose, (num_vertices * 3, NUM_POSE_FEATURES)),
        "joint_regressor": (found["regressor"], (len(JOINT_PARENTS), num_vertices)),
        "skin_weights": (found["weights"], (num_vertices, len(JOINT_PARENTS))),
    }
    for part, (value, shape) in arrays.items():
        if value.shape != shape or not np.isfinite(value).all() or np.abs(value).max(initial=0) > LARGEST:
            raise FacetalkError(f"{path}: {part} has shape {value.shape}, a FLAME model has {shape} finite numbers")
    faces = found["faces"].astype(np.int64)
    if faces.ndim != 2 or faces.shape[1] != 3 or not faces.size or faces.min() < 0 or faces.max() >= num_vertices:
        raise FacetalkError(f"{path}: the triangles refer to vertices that do not exist")
    plain = {part: np.ascontiguousarray(value, np.float64) for part, (value, _) in arrays.items()}
    plain["pose"] = plain["pose"].reshape(num_vertices, 3, NUM_POSE_FEATURES)
    return FlameArrays(faces=faces, **plain)


def _array(path: Path, values: Mapping[str, Any], keys: Sequence[str]) -> np.ndarray:
    name = next(key for key in keys if key in values)
    value = _plain_array(values[name])
    if value is None or value.dtype.kind not in "biuf":
        raise FacetalkError(f"{path}: {name} is not an array of numbers")
    return value


def _plain_array(value: Any) -> np.ndarray | None:
    """The array of a value that may be a list, also one of lists of different lengths."""
    try:
        return np.asarray(value)
    except (ValueError, OverflowError):
        return None


def _check_tree(path: Path, table: np.ndarray) -> None:
    parents = np.atleast_2d(table)[0].astype(np.int64) if table.size else np.zeros(0, np.int64)
    parents = parents[: len(JOINT_PARENTS) + 1]
    parents = np.where(parents >= len(JOINT_PARENTS), -1, parents)  # the root's parent is written as 2^32 - 1
    if len(parents) != len(JOINT_PARENTS) or tuple(parents[1:]) != JOINT_PARENTS[1:] or parents[0] > 0:
        raise FacetalkError(f"{path}: the joints' parents are {parents.tolist()}, FLAME's are {list(JOINT_PARENTS)}")


def _split_shape(path: Path, found: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Identity and expression directions: in two arrays, or concatenated in one."""
    shape = found["shape"]
    if shape.ndim != 3:
        raise FacetalkError(f"{path}: shapedirs has shape {shape.shape}, not (vertices, 3, directions)")
    if "expression" in found:
        return shape, found["expression"]
    if shape.shape[2] > NUM_IDENTITY:
        return shape[..., :NUM_IDENTITY], shape[..., NUM_IDENTITY:]
    raise FacetalkError(
        f"{path}: shapedirs has {shape.shape[2]} directions and there is no expressiondirs; a whole model has "
        f"{NUM_IDENTITY} for identity and then those for expression; {HOW_TO_GET}"
    )


def read_flame_extras(folder: Path, num_faces: int, num_vertices: int) -> FlameExtras:
    """Read the landmark, MediaPipe and mask files beside a model.

    Args:
        folder: of the model.
        num_faces: of the model; points may refer to no others.
        num_vertices: of the model.
    """
    landmarks = contour = mediapipe = ids = None
    masks = {}
    for name in LANDMARK_FILES:
        if (folder / name).is_file():
            path, values = folder / name, read_arrays(folder / name)
            if "dynamic" in name:
                contour = contour or _points(path, values, "lmk_face", num_faces)
            else:
                found = (_points(path, values, prefix, num_faces) for prefix in ("full_lmk", "static_lmk", "lmk_face"))
                landmarks = landmarks or next((points for points in found if points is not None), None)
                contour = contour or _points(path, values, "dynamic_lmk", num_faces)
    if (folder / MEDIAPIPE_FILE).is_file():
        path, values = folder / MEDIAPIPE_FILE, read_arrays(folder / MEDIAPIPE_FILE)
        mediapipe = _points(path, values, "lmk_face", num_faces)
        ids = _whole(path, values.get("landmark_indices", ()), "landmark_indices", NUM_MESH_POINTS).ravel()
        if mediapipe is not None and len(ids) != len(mediapipe.faces):
            raise FacetalkError(f"{path}: landmark_indices has {len(ids)} entries for {len(mediapipe.faces)} points")
    if (folder / MASK_FILE).is_file():
        path = folder / MASK_FILE
        masks = {name: _whole(path, members, name, num_vertices).ravel() for name, members in read_arrays(path).items()}
    if landmarks is not None and len(landmarks.faces) not in (51, 68):
        landmarks = None  # other layouts, with irises for example, do not define the order of their points
    return FlameExtras(landmarks, contour, mediapipe, ids, masks)


def _points(path: Path, values: Mapping[str, Any], prefix: str, num_faces: int) -> Embedding | None:
    """Points under a published spelling: `static_lmk_faces_idx` and `static_lmk_bary_coords`, or `lmk_face_idx`..."""
    faces = [key for key in values if key.startswith(prefix) and key.endswith("_idx")]
    stem = prefix.removesuffix("_face")
    weights = [key for key in values if key.startswith(stem) and key.endswith(("bary_coords", "b_coords"))]
    if not faces or not weights:
        return None
    numbers = _whole(path, values[faces[0]], faces[0], num_faces)
    shares = _plain_array(values[weights[0]])
    if (
        shares is None
        or shares.dtype.kind not in "iuf"
        or shares.size != 3 * numbers.size
        or not np.isfinite(shares).all()
    ):
        raise FacetalkError(f"{path}: {weights[0]} does not hold three numbers for each of {numbers.size} points")
    if prefix == "full_lmk":  # published with a leading axis of size one
        numbers = numbers.reshape(-1)
    return Embedding(numbers, shares.astype(np.float64).reshape(*numbers.shape, 3))


def _whole(path: Path, value: Any, name: str, count: int) -> np.ndarray:
    """Whole numbers from 0 to below `count`."""
    array = _plain_array(value)
    if array is None or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise FacetalkError(f"{path}: {name} is not an array of whole numbers")
    if array.size and not 0 <= array.min() <= array.max() < count:
        raise FacetalkError(f"{path}: {name} refers to {array.max():g}; there are {count}")
    return array.astype(np.int64)
