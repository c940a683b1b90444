"""Restricted unpickler: arrays and nothing else. It runs in the process that `io.sandbox` starts.

A pickle is a program: it can call any function by name. Head models are still published as pickles, some of them
written by Python 2 with chumpy and SciPy objects inside. Here only a short list of names is allowed, each replaced by
a class that only holds data; any other name is an error before it is looked up. Neither chumpy nor an old SciPy is
needed.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from facetalk.io.npy import check_characters

_MOST_VALUES = 2_000_000
"""Limit for values in lists, counted each time they appear: nested references to one list can expand to billions."""


class ForbiddenError(Exception):
    """A pickle asked for a name that is not allowed."""


class Holder:
    """Replaces an object of another package (including NumPy) and only stores its parts."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = {_text(name): value for name, value in state.items()} if isinstance(state, dict) else {}


class _DType(Holder):
    """The dtype of an array: plain, no records."""

    def __setstate__(self, state: Any) -> None:
        self.order = _text(state[1])

    def dtype(self) -> np.dtype:
        kind = np.dtype(_text(self.parts[0]))
        if kind.kind not in "biufcSUO":
            raise ValueError(f"an array of {kind}")
        order = getattr(self, "order", "=")
        return kind.newbyteorder(order) if order in "<>" else kind  # type: ignore[arg-type]


class _Array(Holder):
    """A NumPy array."""

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.kind, self.by_column, self.content = state

    def array(self, plain: Plain) -> Any:
        kind = self.kind.dtype()
        shape = tuple(int(size) for size in self.shape)
        if kind.kind == "O":
            items = [plain(item) for item in self.content]
            return items[0] if shape == () else items
        array = np.frombuffer(_bytes(self.content), kind).reshape(shape, order="F" if self.by_column else "C").copy()
        if kind.kind == "U":
            check_characters(array)
        return array


def _new_array(*_: Any) -> _Array:
    return _Array()


def _scalar(kind: _DType, content: Any) -> Any:
    return np.frombuffer(_bytes(content), kind.dtype())[0]


def _array_from_buffer(content: Any, kind: _DType, shape: tuple[int, ...], order: str) -> _Array:
    """An array as NumPy writes it with pickle protocol 5."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", _bytes(content)))
    return array


def _bytes(content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode("latin1")
    if not isinstance(content, bytes | bytearray):  # bytes(10**12) would be a terabyte of zeros
        raise ValueError(f"{type(content).__name__} in place of an array's memory")
    return bytes(content)


class _Chumpy(Holder):
    """A chumpy array: `x` is its value."""

    def array(self, plain: Plain) -> np.ndarray:
        if "x" in self.state:
            return np.asarray(plain(self.state["x"]))
        if self.parts:
            return np.asarray(plain(self.parts[0]))
        raise ValueError("a chumpy object without a value")


class _ChumpySelect(Holder):
    """A selection of a chumpy array's entries, reshaped."""

    def array(self, plain: Plain) -> np.ndarray:
        values = np.asarray(plain(self.state["a"])).ravel()[np.asarray(plain(self.state["idxs"])).ravel()]
        return values.reshape(tuple(int(size) for size in self.state["preferred_shape"]))


class _Sparse(Holder):
    """A sparse matrix in any of three layouts."""

    layout = ""

    def array(self, plain: Plain) -> np.ndarray:
        state = {name: plain(value) for name, value in self.state.items()}
        size = state.get("_shape", state.get("shape"))
        if size is None:
            raise ValueError("a sparse matrix without a size")
        data = np.asarray(state["data"])
        dense = np.zeros(tuple(int(length) for length in size), data.dtype)
        if self.layout == "coo":
            rows, columns = state["coords"] if "coords" in state else (state["row"], state["col"])
        else:
            pointers = np.asarray(state["indptr"])
            major = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
            minor = np.asarray(state["indices"])
            rows, columns = (major, minor) if self.layout == "csr" else (minor, major)
        np.add.at(dense, (rows, columns), data)
        return dense


class _Csc(_Sparse):
    layout = "csc"


class _Csr(_Sparse):
    layout = "csr"


class _Coo(_Sparse):
    layout = "coo"


def _reconstruct_object(kind: type, base: type, state: Any) -> Any:
    """`copyreg._reconstructor`, limited to holders."""
    if not (isinstance(kind, type) and issubclass(kind, Holder)) or base is not object:
        raise ForbiddenError("a constructor of an unknown class")
    return kind()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Bytes as Python 3 writes them with old pickle protocols."""
    if encoding not in ("latin1", "latin-1"):
        raise ForbiddenError(f"the codec {encoding}")
    return text.encode("latin1")


class Call:
    """A function that a pickle may call but not modify: otherwise the BUILD instruction could set its attributes."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *parts: Any) -> Any:
        """Call it."""
        return self._function(*parts)

    def __setstate__(self, state: Any) -> None:
        raise ForbiddenError(f"a change of {self._function.__name__}")


_NUMPY = {
    "multiarray._reconstruct": Call(_new_array),
    "multiarray.scalar": Call(_scalar),
    "numeric._frombuffer": Call(_array_from_buffer),
}
_ALLOWED: dict[str, Any] = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _DType,
    **{f"numpy.{core}.{name}": value for core in ("core", "_core") for name, value in _NUMPY.items()},
    "collections.OrderedDict": OrderedDict,
    "_codecs.encode": Call(_encode),
    "chumpy.ch.Ch": _Chumpy,
    "chumpy.reordering.Select": _ChumpySelect,
    **{f"{module}._reconstructor": Call(_reconstruct_object) for module in ("copy_reg", "copyreg")},
    **{f"{module}.object": object for module in ("__builtin__", "builtins")},
    **{
        f"{module}.{kind.__name__}": kind for module in ("__builtin__", "builtins") for kind in (set, list, dict, tuple)
    },
    **{f"numpy.{kind.__name__}": kind for kind in (np.float32, np.float64, np.int32, np.int64, np.uint32, np.bool_)},
}
_SPARSE = {"csc": _Csc, "csr": _Csr, "coo": _Coo}


class ArrayUnpickler(pickle.Unpickler):
    """Resolves only the names in the table above, and those of a derived class."""

    names: Mapping[str, Any] = {}

    def __init__(self, file: Any) -> None:
        """Read from a file.

        Args:
            file: at the start of a pickle.
        """
        # Python 2 wrote arrays as byte strings; latin1 keeps each byte.
        super().__init__(file, fix_imports=False, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """The replacement for `module.name`."""
        full = f"{module}.{name}"
        if full in _ALLOWED:
            return _ALLOWED[full]
        if full in self.names:
            return self.names[full]
        layout, _, kind = name.partition("_")
        if module.startswith("scipy.sparse") and layout in _SPARSE and kind in ("matrix", "array"):
            return _SPARSE[layout]
        raise ForbiddenError(full)

    def persistent_load(self, pid: Any) -> Any:
        """Refuse external references."""
        raise ForbiddenError(f"a reference to {pid!r}")


def _text(name: Any) -> str:
    return name.decode("latin1") if isinstance(name, bytes) else str(name)


class Plain:
    """Converts holders and nested values to arrays, each once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, int]] = {}
        self._kept: list[Any] = []

    def __call__(self, value: Any) -> Any:
        """The value, with holders replaced by arrays."""
        return self._sized(value)[0]

    def _sized(self, value: Any) -> tuple[Any, int]:
        """The value and the number of values in it."""
        if not isinstance(value, Holder | dict | list | tuple | np.ndarray):
            return value, 1
        if id(value) not in self._known:
            self._kept.append(value)  # so that its id is not reused
            self._known[id(value)] = self._convert(value)
        return self._known[id(value)]

    def _convert(self, value: Any) -> tuple[Any, int]:
        if isinstance(value, Holder):
            return self._sized(value.array(self))  # type: ignore[attr-defined]
        if isinstance(value, np.ndarray):
            return value, 1
        inner = [self._sized(item) for item in (value.values() if isinstance(value, dict) else value)]
        count = 1 + sum(size for _, size in inner)
        if count > _MOST_VALUES:
            raise ValueError(f"{count} values in lists")
        plain = [item for item, _ in inner]
        return (dict(zip(map(_text, value), plain, strict=True)) if isinstance(value, dict) else plain), count
