"""Output of EmoTalk (Peng et al. 2023): an array of 52 ARKit weights per frame, at 30 frames a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.head.channels import ARKIT_NAMES, indices
from facetalk.importers.base import ImportOptions, arkit_motion
from facetalk.io.media import checked_file
from facetalk.io.npy import ArrayFileError, read_npy

ORDER = (*sorted(name for name in ARKIT_NAMES if name != "tongueOut"), "tongueOut")
"""EmoTalk's columns: alphabetical, the tongue last."""

_MOST_BYTES = 512 << 20


def read(path: Path, options: ImportOptions) -> Motion:
    """Read the array, see `Importer`."""
    try:
        array = read_npy(checked_file(path, "an array"), _MOST_BYTES)
    except ArrayFileError as error:
        raise FacetalkError(f"{path} cannot be read as an array: {error}") from None
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim != 2 or array.shape[1] != len(ORDER) or len(array) == 0 or array.dtype.kind not in "fiu":
        raise FacetalkError(f"{path} has shape {array.shape}; weights of EmoTalk are numbers of shape (frames, 52)")
    with np.errstate(over="ignore"):  # what single precision does not hold is refused later
        values = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    return arkit_motion(values[:, indices(ARKIT_NAMES, ORDER)], path, options.fps, "emotalk")
