"""A table with one row per frame of a video of any length: its start in memory, the rest in a temporary file."""

from __future__ import annotations

import tempfile
import threading
import weakref
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

IN_MEMORY = 64 * 2**20
"""Bytes. A clip of a minute with ten thousand numbers per frame stays below it."""


class FrameTable:
    """Rows of float32 that are appended by frame number and read in slices; missing rows are NaN.

    Once it is complete, several threads may read it at the same time.
    """

    def __init__(self, *shape: int) -> None:
        """Make an empty table.

        Args:
            shape: of one row.
        """
        self.row_shape = shape
        self._row_bytes = 4 * int(np.prod(shape))
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        # A table is passed on as part of a result, so it closes its file when it is no longer used.
        self._reading = threading.Lock()
        self._finalizer = weakref.finalize(self, self._file.close)
        self._numbers: list[int] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor that a full slice returns."""
        return (self._length, *self.row_shape)

    @property
    def numbers(self) -> list[int]:
        """Increasing frame numbers of the rows that were appended."""
        return self._numbers

    def append(self, number: int, row: np.ndarray) -> None:
        """Append the row of a frame whose number is larger than all before."""
        if self._numbers and number <= self._numbers[-1]:
            raise ValueError(f"row {number} comes after row {self._numbers[-1]}")
        self._file.seek(len(self._numbers) * self._row_bytes)
        self._file.write(np.ascontiguousarray(row, np.float32).tobytes())
        self._numbers.append(number)
        self._length = max(self._length, number + 1)

    def extend_to(self, length: int) -> None:
        """Lengthen the table by rows without values."""
        self._length = max(self._length, length)

    def __getitem__(self, rows: slice) -> Tensor:
        """The rows of a slice as a tensor."""
        wanted = range(*rows.indices(self._length))
        result = np.full((len(wanted), *self.row_shape), np.nan, np.float32)
        if len(wanted) == 0:
            return torch.from_numpy(result)
        numbers = np.asarray(self._numbers, np.int64)
        first, last = np.searchsorted(numbers, [wanted[0], wanted[-1] + 1])
        if wanted.step == 1:
            values = self._values(int(first), int(last))
            result[numbers[first:last] - wanted[0]] = values.reshape(-1, *self.row_shape)
            return torch.from_numpy(result)
        for place in range(int(first), int(last)):
            if numbers[place] in wanted:
                result[wanted.index(int(numbers[place]))] = self._values(place, place + 1).reshape(self.row_shape)
        return torch.from_numpy(result)

    def _values(self, first: int, last: int) -> np.ndarray:
        with self._reading:
            self._file.seek(first * self._row_bytes)
            return np.frombuffer(self._file.read((last - first) * self._row_bytes), np.float32)

    def close(self) -> None:
        """Remove the temporary file."""
        self._finalizer()

    def __enter__(self) -> FrameTable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
