"""Compilation of the renderer's inner loops: once, cached on disk, without Python's lock so that threads overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function of NumPy arrays. Use it above `@no_type_check`, which turns off run-time shape checks."""
    options = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the home folder is writable
        return numba.njit(**options)(function)
