"""Network weights of other projects: tensors by name, read without running code."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.io.sandbox import Limits, run_confined
from facetalk.io.torch_files import read_named_tensors
from facetalk.io.weights import read_tensors

_LARGEST = 4 << 30
_LEAST_MEMORY = 512 << 20


def read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors`, `.pth`, `.pt` or `.ckpt` file by name, without the mappings around them."""
    if path.suffix == ".safetensors":
        return read_tensors(path)[0]
    if not path.is_file():
        raise MissingAssetError(f"no weights at {path}")
    size = path.stat().st_size
    if size > _LARGEST:
        raise FacetalkError(f"{path} has {size >> 30} GiB; weights of at most {_LARGEST >> 30} GiB are read")
    # Files of torch are not compressed: what they hold is at most as large as they are.
    limits = Limits(memory_bytes=_LEAST_MEMORY + 4 * size)
    arrays = run_confined(read_named_tensors, path, limits=limits)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
