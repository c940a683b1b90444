"""A binary glTF file as it grows: bytes, the views into them and the accessors that type them."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_FLOAT, _UINT32, _UINT16, _INT16, _UINT8 = 5126, 5125, 5123, 5122, 5121
_COMPONENT = {"<f4": _FLOAT, "<u4": _UINT32, "<u2": _UINT16, "<i2": _INT16, "|u1": _UINT8}
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
VERTEX_DATA, INDEX_DATA = 34962, 34963


class GlbFile:
    """The binary part of a growing file, with its views and accessors."""

    def __init__(
        self,
        data: Sequence[bytes | memoryview] = (),
        views: Sequence[dict[str, Any]] = (),
        accessors: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Begin with what another file holds.

        Args:
            data: pieces of its binary part, which are not changed; each gets a multiple of four bytes.
            views: into these, as `buffer` 0.
            accessors: of these views.
        """
        self._chunks: list[bytes | memoryview] = []
        self._size = 0
        for piece in data:
            self._append(piece)
        self._views, self._accessors = list(views), list(accessors)

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes at a multiple of four; returns the number of the view."""
        view = {"buffer": 0, "byteOffset": self._append(data), "byteLength": len(data)}
        self._views.append(view if target is None else {**view, "target": target})
        return len(self._views) - 1

    def accessor(self, array: np.ndarray, target: int | None = None, **extra: Any) -> int:
        """Append an array with its bounds; returns the number of the accessor."""
        array = np.ascontiguousarray(array)
        if array.dtype == np.float32 or array.ndim == 1:
            extra |= _bounds(array)
        self._accessors.append({"bufferView": self.view(array.tobytes(), target), **_kind(array), **extra})
        return len(self._accessors) - 1

    def sparse(self, rows: np.ndarray, keep: np.ndarray) -> int:
        """Append an accessor that is zero except in the rows `keep`."""
        where = np.flatnonzero(keep)
        if len(where) == 0:
            where = np.zeros(1, np.int64)  # a sparse accessor must name at least one row
        kept = np.zeros_like(rows)
        kept[where] = rows[where]
        indices = small_indices(where, len(rows))
        places = {"bufferView": self.view(indices.tobytes()), "componentType": _COMPONENT[indices.dtype.str]}
        values = {"bufferView": self.view(np.ascontiguousarray(rows[where]).tobytes())}
        sparse = {"count": len(where), "indices": places, "values": values}
        self._accessors.append({**_kind(rows), **_bounds(kept), "sparse": sparse})
        return len(self._accessors) - 1

    def _append(self, data: bytes | memoryview) -> int:
        """Append bytes and fill up to a multiple of four; returns where they begin."""
        start, padding = self._size, bytes(-len(data) % 4)
        self._chunks += [data, padding]
        self._size += len(data) + len(padding)
        return start

    def save(self, path: Path, document: dict[str, Any], more_buffers: Sequence[dict[str, Any]] = ()) -> None:
        """Write the header, the JSON chunk with the tables filled in, and the binary chunk.

        Args:
            path: where to.
            document: without the tables.
            more_buffers: after the binary part.
        """
        tables = {
            "buffers": [{"byteLength": self._size}, *more_buffers],
            "bufferViews": self._views,
            "accessors": self._accessors,
        }
        text = json.dumps({**document, **tables}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        with path.open("wb") as file:
            file.write(struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + self._size))
            file.write(struct.pack("<I4s", len(text), b"JSON") + text)
            file.write(struct.pack("<I4s", self._size, b"BIN\0"))
            file.writelines(self._chunks)


def small_indices(indices: np.ndarray, num_vertices: int) -> np.ndarray:
    """Vertex indices in as few bytes as the standard allows."""
    # 65535 itself restarts a strip and is not allowed as an index.
    return indices.astype(np.uint16 if num_vertices < 65_535 else np.uint32)


def _kind(array: np.ndarray) -> dict[str, Any]:
    width = 1 if array.ndim == 1 else int(np.prod(array.shape[1:]))
    return {"componentType": _COMPONENT[array.dtype.str], "count": len(array), "type": _TYPES[width]}


def _bounds(array: np.ndarray) -> dict[str, Any]:
    flat = array.reshape(len(array), -1)
    return {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
