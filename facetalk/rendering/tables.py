"""Tables of which kernels read whole rows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

_LINE = 64
"""Bytes that the processor fetches from memory together."""


def aligned(shape: tuple[int, ...], kind: DTypeLike) -> np.ndarray:
    """An array of zeros whose rows of 64 bytes each lie in one cache line, not in two."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    memory = np.zeros(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size].view(kind).reshape(shape)
