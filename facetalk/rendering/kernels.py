"""How the renderer's inner loops are compiled: once, cached on disk, free of Python's lock so that threads overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function of NumPy arrays. Below it stands `@no_type_check`, so that run-time shape checks keep out."""
    options = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither beside the package nor in the home folder may anything be written
        return numba.njit(**options)(function)
