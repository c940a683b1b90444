"""How the renderer's inner loops are compiled: once, cached on disk, free of Python's lock so that threads overlap."""

from __future__ import annotations

import numba

kernel = numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
"""Compiles a function of NumPy arrays. Below it stands `@no_type_check`, so that run-time shape checks keep out."""
