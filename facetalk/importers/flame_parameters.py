"""FLAME parameters (`.npz`) under the names of common trackers and generators.

Joint rotations are axis-angle, each in an array of its own or together in `pose`: root and jaw (six numbers, as DECA
and EMOCA write them), or all five joints (15). The file does not say which FLAME it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.core.motion import MAX_FPS, MIN_FPS, POSES, Motion
from facetalk.core.text import unicode_name
from facetalk.core.timing import FPS
from facetalk.importers.base import ImportOptions
from facetalk.io.installed import installed_heads
from facetalk.io.media import checked_file
from facetalk.io.npy import ArrayFileError, npz_names, read_npz
from facetalk.motion.heads import load_head_assets

_KEYS: Mapping[str, tuple[str, ...]] = {
    "expression": ("expression", "exp", "expr", "expressions", "expcode", "exp_code", "expression_params"),
    "global_orient": ("global_orient", "global_rot", "rotation", "global_pose", "root_pose"),
    "neck_pose": ("neck_pose", "neck"),
    "jaw_pose": ("jaw_pose", "jaw"),
    "leye_pose": ("leye_pose", "left_eye_pose"),
    "reye_pose": ("reye_pose", "right_eye_pose"),
    "eyes": ("eyes_pose", "eye_pose", "eyes"),
    "pose": ("pose", "poses", "posecode", "pose_params"),
    "transl": ("transl", "translation", "trans"),
    "betas": ("betas", "shape", "shapes", "shapecode", "shape_params"),
    "fps": ("fps", "frame_rate", "mocap_frame_rate", "mocap_framerate"),
}
"""What each array is called."""
_JOINTS_IN_POSE = {6: ("global_orient", "jaw_pose"), 15: POSES}
_MOST_BYTES = 512 << 20


def holds_parameters(path: Path) -> bool:
    """Whether an archive holds FLAME parameters, and not a motion of facetalk."""
    try:
        names = set(npz_names(path)) if path.is_file() else set()
    except ArrayFileError:
        return False
    moving = {*_KEYS["expression"], *_KEYS["jaw_pose"], *_KEYS["pose"]}
    return "format" not in names and bool(names & moving)


def read(path: Path, options: ImportOptions) -> Motion:
    """Read the parameters, see `Importer`.

    Raises:
        MissingAssetError: no FLAME is installed, and none is given.
    """
    checked_file(path, "FLAME parameters")
    try:
        arrays = read_npz(path, {name for names in _KEYS.values() for name in names}, _MOST_BYTES)
    except ArrayFileError as error:
        raise FacetalkError(f"{path} cannot be read as FLAME parameters: {error}") from None
    found = {key: arrays[name] for key, names in _KEYS.items() for name in names[::-1] if name in arrays}
    rates = found.pop("fps", None)
    rows = {key: _rows(path, key, array) for key, array in found.items()}
    if "expression" not in rows:
        raise FacetalkError(f"{path} has no expression of FLAME ({', '.join(_KEYS['expression'])})")
    head = _flame_head(options.head)
    shape = load_head_assets(head).shape
    count = len(rows["expression"])
    poses = _poses(path, rows, count)
    betas = rows["betas"].mean(0) if "betas" in rows else torch.zeros(0)
    return Motion(
        head=head,
        fps=_rate(path, rates, options.fps),
        expression=_as_wide(path, "expression", rows["expression"], len(shape.expression_names)),
        expression_names=shape.expression_names,
        transl=_placed(path, "transl", rows.get("transl"), count),
        betas=_as_wide(path, "betas", betas[None], len(shape.identity_names))[0],
        source=unicode_name(path.name),
        meta={"imported_from": "flame"},
        **poses,
    )


def _flame_head(given: str | None) -> str:
    """The head of the parameters: the given one if it is FLAME, else the first that is installed."""
    installed = installed_heads()
    if given is not None and (given.startswith("flame:") or (given in installed and installed[given].kind == "flame")):
        return given
    name = next((name for name, head in installed.items() if head.kind == "flame"), None)
    if name is None:
        raise MissingAssetError("FLAME parameters need FLAME: give --head flame:PATH, or install it (facetalk heads)")
    return name


def _rows(path: Path, key: str, array: np.ndarray) -> Tensor:
    """An array as rows of numbers; a single row may lack its first axis."""
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "fiu":
        raise FacetalkError(f"{path}: {key} has shape {array.shape}; it must be numbers of shape (frames, n)")
    with np.errstate(over="ignore"):  # what single precision does not hold is refused later
        rows = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    if not bool(torch.isfinite(rows).all()):
        raise FacetalkError(f"{path}: {key} holds values that are not finite")
    return rows


def _poses(path: Path, rows: Mapping[str, Tensor], count: int) -> dict[str, Any]:
    parts = dict(rows)
    if "eyes" in parts and parts["eyes"].shape[1] == 6:
        parts = {"leye_pose": parts["eyes"][:, :3], "reye_pose": parts["eyes"][:, 3:], **parts}
    if "pose" in parts:
        joints = _JOINTS_IN_POSE.get(parts["pose"].shape[1])
        if joints is None:
            raise FacetalkError(f"{path}: pose has {parts['pose'].shape[1]} numbers a frame; it must have 6 or 15")
        parts = {**dict(zip(joints, parts["pose"].split(3, 1), strict=True)), **parts}
    return {name: _placed(path, name, parts.get(name), count) for name in POSES}


def _placed(path: Path, name: str, rows: Tensor | None, count: int) -> Tensor:
    """Three numbers for each frame; zero where the file has none, the same for all where it has one row."""
    if rows is None:
        return torch.zeros(count, 3)
    if rows.shape[1] != 3 or len(rows) not in (1, count):
        raise FacetalkError(f"{path}: {name} has shape {tuple(rows.shape)}; it must be ({count}, 3)")
    return rows.expand(count, 3).contiguous()


def _as_wide(path: Path, name: str, rows: Tensor, width: int) -> Tensor:
    """Rows with as many coefficients as the head has; those that a file leaves out are zero."""
    if rows.shape[1] > width:
        raise FacetalkError(f"{path}: {name} has {rows.shape[1]} coefficients; this FLAME has {width}")
    return torch.nn.functional.pad(rows, (0, width - rows.shape[1]))


def _rate(path: Path, stated: np.ndarray | None, wanted: float | None) -> float:
    if stated is None:
        return wanted or FPS
    rate = float(stated.reshape(-1)[0]) if stated.size == 1 and stated.dtype.kind in "fiu" else 0.0
    if not MIN_FPS <= rate <= MAX_FPS:
        raise FacetalkError(f"{path}: its frame rate is not a number between {MIN_FPS:g} and {MAX_FPS:g}")
    return rate
