"""Results that take seconds to compute, kept in the user's cache folder; they can be deleted at any time."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from torch import Tensor

from facetalk.core.errors import FacetalkError
from facetalk.core.folders import cache_dir
from facetalk.core.version import __version__
from facetalk.io.files import make_folder, replacing
from facetalk.io.npy import write_npz


def arrays_in(value: Any) -> Iterator[np.ndarray]:
    """Every array, number and string inside a dataclass, mapping or tuple, in order: the inputs of a cached result."""
    if value is None:
        return
    if is_dataclass(value):
        value = {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield np.array(str(name))
            yield from arrays_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from arrays_in(inner)
    else:
        yield value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def cached_arrays(
    kind: str,
    parts: Iterable[np.ndarray],
    make: Callable[[], dict[str, np.ndarray]],
    code: Iterable[ModuleType] = (),
) -> dict[str, np.ndarray]:
    """Arrays from the cache, if they were made from the same inputs by the same code, or made now.

    Args:
        kind: what they are; part of the file name.
        parts: all inputs of the result.
        make: computes them.
        code: the modules that do the work; a change in their source makes cached results invalid.
    """
    key = hashlib.sha256(__version__.encode())
    for module in code:
        key.update(Path(module.__file__ or "").read_bytes())
    for part in parts:
        key.update(str((part.shape, part.dtype)).encode())
        key.update(np.ascontiguousarray(part).tobytes())
    path = cache_dir() / f"{kind}-{key.hexdigest()[:24]}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (OSError, ValueError, zipfile.BadZipFile):
        values = make()
    try:
        make_folder(path.parent)
        with replacing(path) as temporary:
            write_npz(temporary, values)
    except (OSError, FacetalkError):
        pass  # a cache that cannot be written is no reason to fail
    return values
