"""Blend shape weights as NVIDIA Audio2Face exports them: JSON with `exportFps`, `facsNames` and `weightMat`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import MAX_FPS, MIN_FPS, Motion
from facetalk.core.text_values import parse_json
from facetalk.importers.base import ImportOptions, arkit_motion
from facetalk.importers.curves import arkit_table
from facetalk.io.media import checked_file

_MOST_CHARACTERS = 1 << 27
"""An hour at 60 frames a second has a hundred million characters."""
_NAMES = ("facsNames", "blendShapeNames", "poseNames")
_RATES = ("exportFps", "fps")


def read(path: Path, options: ImportOptions) -> Motion:
    """Read the weights, see `Importer`; the file's own frame rate counts where it states one."""
    checked_file(path, "weights of Audio2Face")
    if path.stat().st_size > _MOST_CHARACTERS:
        raise FacetalkError(f"{path} has {path.stat().st_size >> 20} MiB; at most {_MOST_CHARACTERS >> 20} are read")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise FacetalkError(f"{path} is not JSON: it is not text") from None
    document = parse_json(text, str(path), most_characters=_MOST_CHARACTERS)
    if not isinstance(document, dict) or "weightMat" not in document:
        raise FacetalkError(f"{path} does not hold weights of Audio2Face: it has no 'weightMat'")
    names = next((document[key] for key in _NAMES if key in document), None)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FacetalkError(f"{path}: 'facsNames' is not a list of names")
    weights = _matrix(path, document["weightMat"], len(names))
    rate = next((document[key] for key in _RATES if key in document), options.fps)
    if rate is not None and (not isinstance(rate, int | float) or not MIN_FPS <= rate <= MAX_FPS):
        raise FacetalkError(f"{path}: 'exportFps' is {str(rate)[:20]}, which is not a frame rate")
    expression = arkit_table(torch.from_numpy(weights), names, path)
    return arkit_motion(expression, path, None if rate is None else float(rate), "audio2face")


def _matrix(path: Path, rows: Any, width: int) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # what single precision does not hold is refused later
            matrix = np.array(rows, np.float32)
    except (ValueError, TypeError, OverflowError):
        raise FacetalkError(f"{path}: 'weightMat' is not rows of {width} numbers") from None
    if matrix.ndim != 2 or matrix.shape[1] != width or len(matrix) == 0:
        raise FacetalkError(f"{path}: 'weightMat' has shape {matrix.shape}; 'facsNames' has {width} names")
    return matrix
