"""Results that take seconds to compute, kept in the user's cache folder; losing them costs only time."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from facetalk import __version__
from facetalk.core.errors import FacetalkError
from facetalk.io.files import replacing


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/facetalk`, or `~/.cache/facetalk`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facetalk"


def data_dir() -> Path:
    """`$XDG_DATA_HOME/facetalk`, or `~/.local/share/facetalk`: what a user installed."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "facetalk"


def cached_arrays(
    kind: str, parts: Iterable[np.ndarray], make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Arrays that were made before from the same parts by the same version, or made now.

    Args:
        kind: what they are; part of the file's name.
        parts: everything that the result depends on.
        make: makes them.
    """
    key = hashlib.sha256(__version__.encode())
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
        with replacing(path) as temporary:
            np.savez_compressed(temporary, **values)  # type: ignore[arg-type]
    except (OSError, FacetalkError):
        pass  # a cache that cannot be written is no reason to fail
    return values
