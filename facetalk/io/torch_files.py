"""Tensors in torch's files and in pickles, as arrays; read without torch, in the process that `io.sandbox` starts.

torch writes a pickle in which every tensor refers to a storage by key: `torch.save` puts the storages beside it in a
zip archive, before version 1.6 behind it in the same file.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facetalk.core.errors import FacetalkError
from facetalk.io.unpickling import ArrayUnpickler, Call, ForbiddenError, Holder, Plain

_MAGIC_NUMBER, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""Start of a file of torch before version 1.6: two numbers, and then the properties of the machine."""

_BFLOAT16 = "bfloat16"
_STORAGES = {
    "FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "BFloat16Storage": _BFLOAT16, "LongStorage": "i8",
    "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "b1",
}  # fmt: skip
_WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which checkpoints store the weights next to other things."""


class _StorageType(Holder):
    """Class of a storage, which a pickle only names."""


class Tensor(Holder):
    """A tensor: a view of a storage."""

    def array(self, plain: Plain) -> np.ndarray:
        """Return a copy of the tensor's values."""
        storage, offset, size, stride = self.parts[:4]
        if not isinstance(storage, Storage):
            raise ValueError("a tensor of something that is not a storage")
        size, stride = ([int(number) for number in numbers] for numbers in (size, stride))
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        empty = 0 in size
        if min([offset, *size, *stride]) < 0 or (not empty and last >= len(storage.values)):
            raise ValueError("a tensor that reaches beyond its storage")
        values = storage.values[offset:] if not empty else storage.values[:0]
        steps = [step * values.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(values, size, steps, writeable=False).copy()


class Storage(Holder):
    """Memory of tensors; filled when it has been read."""

    values = np.zeros(0, np.uint8)

    def fill(self, data: bytes, dtype: str) -> None:
        """Take over the memory; half precision of the kind that NumPy lacks is widened."""
        if dtype == _BFLOAT16:
            self.values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            self.values = np.frombuffer(data, np.dtype(dtype).newbyteorder("<"))

    def array(self, plain: Plain) -> np.ndarray:
        """Return the values in order."""
        return self.values


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _first_version(storage: Any, offset: Any, size: Any, stride: Any) -> Tensor:
    return Tensor(storage, offset, size, stride)


def _nested(data: Any) -> Any:
    """A storage that was pickled by itself, as a file of torch inside the pickle."""
    if not isinstance(data, bytes):
        raise ForbiddenError("a storage that is not bytes")
    return load(io.BytesIO(data))


class TensorUnpickler(ArrayUnpickler):
    """Resolves torch's names too, and passes references to storages on."""

    names: Mapping[str, Any] = {
        "torch._utils._rebuild_tensor_v2": Tensor,
        "torch._utils._rebuild_tensor": Call(_first_version),
        "torch._utils._rebuild_parameter": Call(_parameter),
        "torch.storage._load_from_bytes": Call(_nested),
        **{f"torch.{name}": type(name, (_StorageType,), {}) for name in _STORAGES},
    }

    def __init__(self, file: Any, find: Callable[[str, str, int], Storage] | None = None) -> None:
        """Read from a file.

        Args:
            file: at the start of a pickle.
            find: returns the storage of a key, a NumPy type and a number of values.
        """
        super().__init__(file)
        self._find = find

    def persistent_load(self, pid: Any) -> Any:
        """Return the storage that a tensor refers to."""
        if self._find is None or not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            return super().persistent_load(pid)
        kind, key, count = pid[1], str(pid[2]), pid[4]
        if not (isinstance(kind, type) and issubclass(kind, _StorageType)) or not isinstance(count, int) or count < 0:
            return super().persistent_load(pid)
        if len(pid) > 5 and pid[5] is not None:
            raise ValueError("a storage that is a view of another")
        return self._find(key, _STORAGES[kind.__name__], count)


def load(file: Any) -> Any:
    """The content of a file of torch, with holders in place of tensors.

    Args:
        file: a binary file that can seek.
    """
    start = file.read(4)
    file.seek(0)
    return _load_archive(file) if start == b"PK\3\4" else _load_stream(file)


def _load_archive(file: Any) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise ValueError("no data.pkl in the archive")
        root = roots[0]
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("big-endian numbers")
        storages: dict[str, Storage] = {}

        def find(key: str, dtype: str, count: int) -> Storage:
            if key not in storages:
                storages[key] = Storage()
                storages[key].fill(archive.read(f"{root}data/{key}"), dtype)
            if count > len(storages[key].values):
                raise ValueError(f"a storage of {len(storages[key].values)} values in place of {count}")
            return storages[key]

        return TensorUnpickler(io.BytesIO(archive.read(f"{root}data.pkl")), find).load()


def _load_stream(file: Any) -> Any:
    if TensorUnpickler(file).load() != _MAGIC_NUMBER or TensorUnpickler(file).load() != _PROTOCOL:
        raise ValueError("not a file of torch")
    if TensorUnpickler(file).load().get("little_endian") is not True:
        raise ValueError("big-endian numbers")
    storages: dict[str, tuple[Storage, str]] = {}

    def find(key: str, dtype: str, count: int) -> Storage:
        return storages.setdefault(key, (Storage(), dtype))[0]

    content = TensorUnpickler(file, find).load()
    for key in TensorUnpickler(file).load():
        storage, dtype = storages[str(key)]
        (count,) = struct.unpack("<q", file.read(8))
        size = count * (2 if dtype == _BFLOAT16 else np.dtype(dtype).itemsize)
        data = file.read(size) if size >= 0 else b""
        if len(data) != size:
            raise EOFError(f"a storage of {size} bytes is cut short")
        storage.fill(data, dtype)
    return content


def read_named_tensors(path: Path) -> dict[str, Any]:
    """The tensors of a `.pth`, `.pt` or `.ckpt` file by name, without the mappings around them; runs in the child.

    Args:
        path: the file.

    Raises:
        FacetalkError: the file holds something else, or no tensors.
    """
    try:
        with path.open("rb") as file:
            content = load(file)
    except ForbiddenError as error:
        raise FacetalkError(
            f"{path} cannot be read as plain weights (it would run {error}); save its state_dict as safetensors"
        ) from None
    for name in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    plain = Plain()
    items = content.items() if isinstance(content, Mapping) else ()
    tensors = {str(name): plain(value) for name, value in items if isinstance(value, Tensor)}
    if not tensors:
        raise FacetalkError(f"{path} holds no named tensors; give a file with a network's state_dict")
    return tensors
