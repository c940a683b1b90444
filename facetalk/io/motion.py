"""Motion files: `.npz` without pickles, format "facetalk-motion".

Arrays, one row per frame: `expression (T,E)` with `expression_names (E,)`, `global_orient`, `neck_pose`, `jaw_pose`,
`leye_pose`, `reye_pose` (T,3) axis-angle radians, `transl (T,3)` meters; for the clip `format`, `version`, `head`,
`fps`, `betas (S,)` and `meta`, a JSON object whose `events` say what happens when (`io/event_track.py`). A fit adds
`camera_K (3,3)`, `image_size (2,)`, `fit_error (T,)` in inter-ocular units, `confidence (T,)`, `source`, `source_fps`.
Where somebody laughs there is `laughter (T,E+3)`: how much of expression and jaw pose is laughter rather than speech.
With an emotion there is `emotion (T,8)`: the level, 0 to 3, of each of `core.emotions.EMOTIONS`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facetalk.core.camera import Camera
from facetalk.core.emotions import EMOTIONS
from facetalk.core.errors import FacetalkError, InvalidValueError
from facetalk.core.motion import MOST_HOURS, POSES, Motion, check_values
from facetalk.core.text import unicode_name
from facetalk.core.text_values import parse_json
from facetalk.core.version import __version__
from facetalk.io.event_track import packed_events, unpacked_events
from facetalk.io.files import replacing, what_is
from facetalk.io.npy import ArrayFileError, read_npz, write_npz
from facetalk.io.path_list import as_path

FORMAT = "facetalk-motion"
VERSION = 1

_ARRAYS = frozenset((
    "format", "version", "head", "fps", "expression", "expression_names", *POSES, "transl", "betas", "meta", "camera_K",
    "image_size", "fit_error", "confidence", "source", "source_fps", "laughter", "emotion",
))  # fmt: skip
_MOST_BYTES = 512 << 20
"""Of all arrays; an hour has 35 MB."""
_MOST_NAMES = 4096
_MOST_PIXELS = 8192
"""Longest side of a fitted video."""
_LONGEST_META, _LONGEST_HOUR = 1 << 20, 1 << 22
"""Characters of `meta`, and what each hour adds for its events: three times those of fast speech."""
_PATH = re.compile(r"[/\\]|^[~.]|:[~.]")


def read_motion(path: Path | str) -> Motion:
    """Read a motion file.

    Args:
        path: `.npz` file of `write_motion`, or of another program in the same format.

    Raises:
        FacetalkError: the file is missing, or is not a motion.
    """
    path = as_path(path, "path")
    arrays = _read_arrays(path)
    _check_header(path, arrays)
    names = _names(path, arrays)
    expression = _floats(path, arrays, "expression", (None, len(names)))
    num_frames = len(expression)
    if num_frames == 0:
        raise FacetalkError(f"{path} holds a motion without frames")
    fps = _number(path, arrays, "fps")
    if fps <= 0:
        raise FacetalkError(f"{path}: fps is {fps:g}; it must be positive")
    per_frame = {name: _floats(path, arrays, name, (num_frames, 3)) for name in (*POSES, "transl")}
    # A frame without a face has no fit error, so its value may be NaN.
    quality = {
        name: _floats(path, arrays, name, (num_frames,), finite=name != "fit_error")
        for name in ("fit_error", "confidence")
        if name in arrays
    }
    if "laughter" in arrays:
        quality["laughter"] = _floats(path, arrays, "laughter", (num_frames, len(names) + 3))
    if "emotion" in arrays:
        quality["emotion"] = _floats(path, arrays, "emotion", (num_frames, len(EMOTIONS)))
    meta = _meta(path, arrays, num_frames / fps / 3600)
    motion = Motion(
        head=_head(path, arrays),
        fps=fps,
        expression=expression,
        expression_names=names,
        betas=_floats(path, arrays, "betas", (None,)),
        camera=_camera(path, arrays),
        source=_text(path, arrays, "source") if "source" in arrays else "",
        source_fps=_number(path, arrays, "source_fps") if "source_fps" in arrays else 0.0,
        events=unpacked_events(meta.pop("events", []), f"{path}: 'meta' events"),
        meta=meta,
        **per_frame,
        **quality,
    )
    try:
        check_values(motion)
    except InvalidValueError as error:
        raise FacetalkError(f"{path}: {error}") from None
    return motion


def write_motion(path: Path | str, motion: Motion) -> None:
    """Write a motion file, completely or not at all.

    Args:
        path: `.npz` file; replaced if it exists.
        motion: what is written; its `meta` also gets the version of facetalk.
    """
    path = as_path(path, "path")
    if not isinstance(motion, Motion):
        raise InvalidValueError(f"write_motion takes a path and a Motion, not {type(motion).__name__}")
    check_values(motion)
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "version": np.int64(VERSION),
        "head": motion.head,
        "fps": np.float64(motion.fps),
        "expression_names": np.array(motion.expression_names, dtype=np.str_),
        "meta": _meta_text(motion),
    }
    tensors: dict[str, Tensor | None] = {
        name: getattr(motion, name)
        for name in ("expression", *POSES, "transl", "betas", "fit_error", "confidence", "laughter", "emotion")
    }
    arrays |= {name: _float32(value) for name, value in tensors.items() if value is not None}
    if motion.camera is not None:
        arrays["camera_K"] = _float32(motion.camera.K)
        arrays["image_size"] = np.array(motion.camera.image_size, np.int64)
    if motion.source:
        arrays["source"] = unicode_name(motion.source)
        arrays["source_fps"] = np.float64(motion.source_fps)
    with replacing(Path(path)) as temporary:
        write_npz(temporary, arrays)


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        raise FacetalkError(f"no motion file at {path}")
    what = "facetalk fit and animate write motion files"
    if not path.is_file():
        raise FacetalkError(f"{path} is not a motion file: it is {what_is(path)}; {what}")
    try:
        return read_npz(path, _ARRAYS, _MOST_BYTES)
    except ArrayFileError as error:
        raise FacetalkError(f"{path} is not a motion file: {error}; {what}") from None


def _check_header(path: Path, arrays: dict[str, np.ndarray]) -> None:
    found = str(arrays["format"])[:40] if "format" in arrays and arrays["format"].ndim == 0 else ""
    if found != FORMAT:
        holds = f"its format is {found!r}" if found else "it does not say its format"
        raise FacetalkError(f"{path} is not a motion file: {holds}, not {FORMAT!r}")
    version = _number(path, arrays, "version")
    if version != VERSION:
        raise FacetalkError(
            f"{path} is a motion file of version {version:g}; facetalk {__version__} reads version {VERSION}: "
            "upgrade facetalk or write the file again"
        )


def _get(path: Path, arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise FacetalkError(f"{path} is an incomplete motion file: {name!r} is missing")
    return arrays[name]


def _floats(
    path: Path, arrays: dict[str, np.ndarray], name: str, shape: tuple[int | None, ...], finite: bool = True
) -> Tensor:
    array = _get(path, arrays, name)
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise FacetalkError(f"{path}: {name!r} has shape {array.shape}, it must be ({wanted})")
    if array.dtype.kind not in "fiu":
        raise FacetalkError(f"{path}: {name!r} holds {array.dtype}, not numbers")
    if finite and not _finite(array):
        raise FacetalkError(f"{path}: {name!r} holds values that are not finite (NaN or infinite)")
    with np.errstate(over="ignore", invalid="ignore"):  # what single precision does not hold is refused later
        return torch.from_numpy(np.ascontiguousarray(array, np.float32))


def _number(path: Path, arrays: dict[str, np.ndarray], name: str) -> float:
    array = _get(path, arrays, name)
    if array.size != 1 or array.dtype.kind not in "fiu" or not _finite(array):
        raise FacetalkError(f"{path}: {name!r} must be one finite number")
    return float(array.reshape(()))


def _text(path: Path, arrays: dict[str, np.ndarray], name: str, longest: int = 4096) -> str:
    array = _get(path, arrays, name)
    if array.ndim != 0 or array.dtype.kind != "U":
        raise FacetalkError(f"{path}: {name!r} must be one text")
    text = str(array)
    if len(text) > longest:
        raise FacetalkError(f"{path}: {name!r} has {len(text)} characters; at most {longest} are read")
    return text


def _names(path: Path, arrays: dict[str, np.ndarray]) -> tuple[str, ...]:
    array = _get(path, arrays, "expression_names")
    if array.ndim > 1 or array.size > _MOST_NAMES or (array.size > 0 and array.dtype.kind != "U"):
        raise FacetalkError(f"{path}: 'expression_names' must be a list of at most {_MOST_NAMES} texts")
    names = tuple(str(name) for name in np.atleast_1d(array))
    unusual = next((name for name in names if not 0 < len(name) <= 100 or not name.isprintable()), None)
    if unusual is not None:
        raise FacetalkError(f"{path}: {unusual[:40]!r} cannot be the name of an expression")
    if len(set(names)) < len(names):
        raise FacetalkError(f"{path}: 'expression_names' holds the same name twice")
    return names


def _head(path: Path, arrays: dict[str, np.ndarray]) -> str:
    """The head's name. It comes from somebody else, so it may not say which file of this computer is opened."""
    name = _text(path, arrays, "head", 200)
    if not name.isprintable() or _PATH.search(name):
        raise FacetalkError(f"{path} names the head {name[:80]!r}; a motion names a head without its path: give --head")
    return name


def _camera(path: Path, arrays: dict[str, np.ndarray]) -> Camera | None:
    if "camera_K" not in arrays:
        return None
    width, height = (float(side) for side in _floats(path, arrays, "image_size", (2,)))
    if not (min(width, height) >= 1 and max(width, height) <= _MOST_PIXELS and width * height <= _MOST_PIXELS**2 / 2):
        raise FacetalkError(f"{path}: 'image_size' is {width:g}x{height:g}, which is not the size of a video")
    K = _floats(path, arrays, "camera_K", (3, 3))
    focal, center = K.diagonal()[:2], K[:2, 2]
    if not bool((focal > 1).all() and (focal < 1e6).all() and (center.abs() < 1e6).all()) or K[2].tolist() != [0, 0, 1]:
        raise FacetalkError(f"{path}: 'camera_K' is not the matrix of a camera (focal lengths and center in pixels)")
    return Camera(K, (int(width), int(height)))


def _meta(path: Path, arrays: dict[str, np.ndarray], hours: float) -> dict[str, Any]:
    if "meta" not in arrays:
        return {}
    longest = _LONGEST_META + int(_LONGEST_HOUR * min(hours, MOST_HOURS))
    text = _text(path, arrays, "meta", longest)
    meta = parse_json(text, f"{path}: 'meta'", most_characters=longest)
    if not isinstance(meta, dict):
        raise FacetalkError(f"{path}: 'meta' is not a JSON object")
    return meta


def _meta_text(motion: Motion) -> str:
    meta = _without_nan({**motion.meta, "facetalk_version": __version__, "events": []})
    meta["events"] = packed_events(motion.events)
    return json.dumps(meta, separators=(",", ":"))


def _without_nan(value: Any) -> Any:
    """The value with null in place of numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _float32(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().astype(np.float32, copy=False)


def _finite(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all())
