"""Files with named arrays as publishers of head models write them: `.npz`, `.npy` and pickles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facetalk.core.errors import FacetalkError, MissingAssetError
from facetalk.io.files import what_is
from facetalk.io.npy import MAGIC, ArrayFileError, PickledArrayError, read_npy, read_npz
from facetalk.io.sandbox import Limits, run_confined
from facetalk.io.torch_files import TensorUnpickler
from facetalk.io.unpickling import ForbiddenError, Plain

LEAST_SECONDS = 4
"""Computing time for a file, to which large ones get a second for every 16 MiB: a whole FLAME takes half a second."""


def read_arrays(path: Path) -> dict[str, Any]:
    """The named values of a `.pkl`, `.npz` or pickled `.npy` file: arrays, numbers, strings, and lists of these.

    Raises:
        MissingAssetError: there is no such file.
        FacetalkError: it cannot be read, or holds something else.
    """
    if not path.exists():
        raise MissingAssetError(f"no file at {path}")
    if not path.is_file():
        raise FacetalkError(f"{path} is {what_is(path)}, not a file with arrays")
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    try:
        if start.startswith(b"PK"):
            return read_npz(path)
        if start == MAGIC:
            raise FacetalkError(f"{path} holds {type(read_npy(path)).__name__}, not named arrays")
    except PickledArrayError:
        pass
    except ArrayFileError as error:
        raise FacetalkError(f"{path} is not a file with arrays that can be read ({error}); fetch it again") from None
    seconds = LEAST_SECONDS + (path.stat().st_size >> 24)
    values = run_confined(read_pickled, path, limits=Limits(processor_s=seconds))
    if not isinstance(values, dict):
        raise FacetalkError(f"{path} holds {type(values).__name__}, not named arrays")
    return values


def read_pickled(path: Path) -> Any:
    """The values of a pickle, or of `.npy` and `.npz` files with pickled arrays; runs in the child process.

    Args:
        path: the file.
    """
    import zipfile

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
                return {entry.filename.removesuffix(".npy"): _member(archive, entry) for entry in entries}
        with path.open("rb") as file:
            return _read(file)
    except ForbiddenError as error:
        raise FacetalkError(
            f"{path} would run {error} when it is opened; head files hold only arrays, so it is refused: "
            "fetch the file from its publisher"
        ) from None


def _member(archive: Any, entry: Any) -> Any:
    with archive.open(entry) as file:
        return _read(file)


def _read(file: Any) -> Any:
    """The values in a stream: a pickle, or an array whose values may be pickled."""
    import numpy as np

    head = file.peek(len(MAGIC))[: len(MAGIC)]
    if head != MAGIC:
        return Plain()(TensorUnpickler(file).load())
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_column, dtype = header(file)
    if dtype.hasobject:
        return Plain()(TensorUnpickler(file).load())
    count = int(np.prod(shape, dtype=np.int64))
    data = file.read(count * dtype.itemsize)
    return np.frombuffer(data, dtype, count).reshape(shape, order="F" if by_column else "C").copy()
