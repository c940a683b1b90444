"""Named arrays out of other people's files, each checked for its kind, shape and range before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facetalk.core.errors import FacetalkError

LARGEST = 1e5
"""Largest absolute value of a number that describes a head, whatever its unit."""
_LONGEST_NAME = 100


class NamedArrays:
    """The content of one file; every fault is an error that names the file and the array."""

    def __init__(self, path: Path, values: Mapping[str, Any], what: str) -> None:
        """Take over what was read.

        Args:
            path: the file, for errors.
            values: by name.
            what: what the file should be, for errors: `an ICT-FaceKit file`.
        """
        self.path, self.values, self.what = path, values, what

    def numbers(self, name: str, *shape: int | None) -> np.ndarray:
        """Finite numbers.

        Args:
            name: of the array.
            shape: expected; None where any length is right.
        """
        array = self._shaped(name, "biuf", shape)
        if not np.isfinite(array).all() or (array.size and float(np.abs(array, dtype=np.float64).max()) > LARGEST):
            raise self._wrong(name, f"holds numbers that are not finite or beyond {LARGEST:g}")
        return array

    def indices(self, name: str, count: int, *shape: int | None, first: int = 0) -> np.ndarray:
        """Whole numbers from `first` up to but not including `count`, as int64; further arguments as for `numbers`."""
        array = self._shaped(name, "iu", shape)
        if array.size and not (array.min() >= first and array.max() < count):
            raise self._wrong(name, f"refers to {int(array.min())} to {int(array.max())}; there are {count}")
        return array.astype(np.int64)

    def texts(self, name: str) -> tuple[str, ...]:
        """Distinct short texts."""
        value = np.asarray(self._value(name))
        if value.ndim != 1 or value.dtype.kind not in "US":
            raise self._wrong(name, "is not a list of texts")
        texts = tuple(text.decode("latin1") if isinstance(text, bytes) else str(text) for text in value.tolist())
        if len(set(texts)) < len(texts):
            raise self._wrong(name, "holds a text twice")
        if not all(0 < len(text) <= _LONGEST_NAME and text.isprintable() for text in texts):
            raise self._wrong(name, "holds texts that cannot be names")
        return texts

    def text(self, name: str) -> str:
        """One short text."""
        return str(self._value(name))[:_LONGEST_NAME]

    def _value(self, name: str) -> Any:
        if name not in self.values:
            raise FacetalkError(f"{self.path} is not {self.what}: {name!r} is missing")
        return self.values[name]

    def _shaped(self, name: str, kinds: str, shape: tuple[int | None, ...]) -> np.ndarray:
        value = self._value(name)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
            raise self._wrong(
                name, "is not an array of numbers" if "f" in kinds else "is not an array of whole numbers"
            )
        fits = value.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, value.shape, strict=True)
        )
        if not fits:
            wanted = ", ".join("any" if want is None else str(want) for want in shape)
            raise self._wrong(name, f"has shape {value.shape}, expected ({wanted})")
        return value

    def _wrong(self, name: str, reason: str) -> FacetalkError:
        return FacetalkError(f"{self.path} is not {self.what}: {name!r} {reason}")
