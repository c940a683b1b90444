"""Typed arrays of a glTF file: accessors, with their strides, normalization and sparse values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from facetalk.io.gltf import COMPRESSIONS, CompressedError, GltfFile, is_whole

_COMPONENTS = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_MOST_BYTES = 1 << 29
"""Of all arrays that are read from one file; those without data state any size."""


class _Layout(NamedTuple):
    dtype: np.dtype
    width: int
    rows: int


class GltfValues:
    """Reads the accessors of one file, up to a total size."""

    def __init__(self, file: GltfFile) -> None:
        self.file = file
        self._left = _MOST_BYTES

    def array(self, number: object, where: str) -> Shaped[np.ndarray, "count width"]:
        """The values of an accessor as they are stored.

        Args:
            number: of the accessor, as the document states it.
            where: what states it, for errors.

        Raises:
            GltfError: the accessor leads out of its buffer, or its values are of an unknown kind.
            CompressedError: its values are compressed.
        """
        accessor = self.file.numbered("accessors", number, where)
        layout = self._layout(accessor, where)
        values = self._view(accessor, layout, where) if "bufferView" in accessor else None
        self._left -= layout.rows * layout.width * layout.dtype.itemsize
        if self._left < 0:
            raise self.file.error(f"its arrays have more than {_MOST_BYTES >> 20} MiB, which is more than is read")
        if values is None:
            values = np.zeros((layout.rows, layout.width), layout.dtype)
        if "sparse" in accessor:
            values = self._with_sparse(values.copy(), accessor["sparse"], layout, where)
        return values

    def floats(self, number: object, where: str, width: int) -> Float[np.ndarray, "count {width}"]:
        """The values of an accessor as numbers; normalized integers become fractions.

        Args:
            number: see `array`.
            where: see `array`.
            width: numbers in each row.

        Raises:
            GltfError: see `array`; or rows are wider or narrower, or values are not finite.
        """
        values = self.array(number, where)
        if values.shape[1] != width:
            raise self.file.error(f"{where} has {values.shape[1]} numbers in each row, not {width}")
        if values.dtype == np.float32:
            if not np.isfinite(values).all():
                raise self.file.error(f"{where} holds values that are not finite")
            return values.astype(np.float32, copy=False)
        as_floats = values.astype(np.float32)
        if self.file.numbered("accessors", number, where).get("normalized") is True:
            as_floats = np.maximum(as_floats / np.float32(np.iinfo(values.dtype).max), np.float32(-1))
        return as_floats

    def _layout(self, accessor: dict[str, Any], where: str) -> _Layout:
        kind, form, count = accessor.get("componentType"), accessor.get("type"), accessor.get("count")
        if not is_whole(kind) or kind not in _COMPONENTS or not isinstance(form, str) or form not in _WIDTHS:
            raise self.file.error(f"{where} holds values of an unknown kind ({str(kind)[:20]}, {str(form)[:20]})")
        if not is_whole(count) or count == 0:
            raise self.file.error(f"{where} has {str(count)[:20]} values")
        return _Layout(np.dtype(_COMPONENTS[kind]).newbyteorder("<"), _WIDTHS[form], count)

    def _view(self, holder: dict[str, Any], layout: _Layout, where: str) -> np.ndarray:
        """Rows of a buffer view, from the offset that `holder` states."""
        view = self.file.numbered("bufferViews", holder.get("bufferView"), where)
        if any(name in (view.get("extensions") or {}) for name in COMPRESSIONS):
            raise CompressedError(f"{self.file.path}: {where} is compressed (meshopt), which is not decoded here")
        number = self.file.index(view.get("buffer"), len(self.file.buffers), f"the buffer view of {where}")
        data = self.file.buffers[number]
        starts = [holder.get("byteOffset", 0), view.get("byteOffset", 0)]
        length, row = view.get("byteLength"), layout.width * layout.dtype.itemsize
        stride = view.get("byteStride", row)
        if data is None or not all(is_whole(value) for value in (*starts, length, stride)) or stride < row:
            raise self.file.error(f"{where} refers to a damaged buffer view")
        needed = starts[0] + stride * (layout.rows - 1) + row
        if needed > length or starts[1] + length > len(data):
            raise self.file.error(f"{where} leads out of its buffer: it states {layout.rows} rows of {row} bytes")
        bytes_of_view = np.frombuffer(data, np.uint8)[sum(starts) : starts[1] + needed]
        rows = np.lib.stride_tricks.as_strided(bytes_of_view, (layout.rows, row), (stride, 1), writeable=False)
        return np.ascontiguousarray(rows).view(layout.dtype)

    def _with_sparse(self, values: np.ndarray, sparse: object, layout: _Layout, where: str) -> np.ndarray:
        where = f"the sparse part of {where}"
        indices, held = (sparse.get("indices"), sparse.get("values")) if isinstance(sparse, dict) else (None, None)
        if not isinstance(sparse, dict) or not isinstance(indices, dict) or not isinstance(held, dict):
            raise self.file.error(f"{where} is incomplete")
        count = sparse.get("count")
        if not is_whole(count) or not 0 < count <= layout.rows:
            raise self.file.error(f"{where} has {str(count)[:20]} values of {layout.rows}")
        kind = indices.get("componentType")
        if kind not in (5121, 5123, 5125):
            raise self.file.error(f"{where} has indices of an unknown kind ({str(kind)[:20]})")
        places = self._view(indices, _Layout(np.dtype(_COMPONENTS[kind]).newbyteorder("<"), 1, count), where)[:, 0]
        if places.max() >= layout.rows:
            raise self.file.error(f"{where} names row {places.max()} of {layout.rows}")
        values[places] = self._view(held, _Layout(layout.dtype, layout.width, count), where)
        return values
