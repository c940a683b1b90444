"""The renderer's inner loops: compiled without Python's lock, so that threads overlap."""

from __future__ import annotations

from facetalk.core.kernels import FINITE_MATH, compiled

kernel = compiled(nogil=True, fastmath=FINITE_MATH, error_model="numpy")
"""Compile a function of NumPy arrays. Use it above `@no_type_check`, which turns off run-time shape checks."""

inlined = compiled(nogil=True, fastmath=FINITE_MATH, error_model="numpy", inline="always")
"""Compile a part of one kernel: a call would pass its vectors through memory."""
