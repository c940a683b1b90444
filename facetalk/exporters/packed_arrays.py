"""Arrays as one compressed text, from which a script in a page takes them back.

Numbers are rounded to integers of two bytes times a step. Low and high bytes are apart, and values that change slowly
are stored as differences, because both compress better; so are numbers that are integers already.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

_LARGEST = 32767


class PackedArrays:
    """Collects arrays; each gets an entry for the page's data that says where it is and how it is read."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def numbers(
        self, rows: Float[np.ndarray, "rows width"], step: float = 0.0, *, along_rows: bool = False
    ) -> dict[str, Any]:
        """Add numbers; each row has its own step, at most 1/65534 of its range around zero.

        Args:
            rows: finite numbers.
            step: a smaller step than this is not needed.
            along_rows: whether values change slowly along a row.

        Returns:
            The entry: `at`, `shape`, `steps` by row, and whether values are `differences`.
        """
        steps = np.maximum(np.abs(rows).max(1, initial=0.0).astype(np.float64) / _LARGEST, step)
        steps[steps == 0] = 1.0
        whole = np.rint(rows / steps[:, None]).astype(np.int16)
        if along_rows:
            whole = np.diff(whole, axis=1, prepend=np.int16(0))  # wraps around, and back again when they are summed
        entry = self._add(whole.view(np.uint16), 2)
        return {**entry, "steps": [float(f"{value:.9g}") for value in steps], "differences": along_rows}

    def indices(self, values: Integer[np.ndarray, "*shape"]) -> dict[str, Any]:
        """Add whole numbers from 0 on; the entry has `at`, `shape` and the number of `bytes` of each."""
        return self._add(np.ascontiguousarray(values, np.uint32), 4)

    def text(self) -> str:
        """All arrays: deflated (RFC 1950), in base64."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), 9)).decode()

    def _add(self, values: np.ndarray, size: int) -> dict[str, Any]:
        planes = np.ascontiguousarray(values.astype(f"<u{size}").reshape(-1)).view(np.uint8).reshape(-1, size).T
        entry = {"at": self._size, "shape": list(values.shape), "bytes": size}
        self._parts.append(planes.tobytes())
        self._size += planes.size
        return entry
