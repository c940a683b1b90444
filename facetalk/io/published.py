"""Network weights of other projects: tensors by name, read without running code."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.io.weights import read_tensors

_WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which checkpoints store the weights next to other things."""


def read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors`, `.pth`, `.pt` or `.ckpt` file by name, without the mappings around them."""
    if path.suffix == ".safetensors":
        return read_tensors(path)[0]
    if not path.is_file():
        raise MissingAssetError(f"no weights at {path}")
    try:
        # torch's restricted reader: tensors and plain containers, no code.
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise FacetalkError(
            f"{path} cannot be read as plain weights ({str(error).splitlines()[0]}); save its state_dict as safetensors"
        ) from None
    for name in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    tensors = {str(name): value for name, value in content.items()} if isinstance(content, Mapping) else {}
    tensors = {name: value for name, value in tensors.items() if isinstance(value, Tensor)}
    if not tensors:
        raise FacetalkError(f"{path} holds no named tensors; give a file with a network's state_dict")
    return tensors
