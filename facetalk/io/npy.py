"""NumPy's `.npy` and `.npz` files of other people: plain arrays, each as large as its file says and no larger.

NumPy believes a header before it sees the data, evaluates it as Python, and unpacks whatever an archive holds. Here a
header has to match a pattern and the size of the file, an archive's total is limited before anything is unpacked, and
memory is filled only as data arrives. That bounds time and memory, so no other process is needed.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias

import numpy as np

from facetalk.io.reasons import reason_of

Stream: TypeAlias = IO[bytes] | io.BufferedIOBase
"""An open file, or a member of an archive, which lacks some methods of a file."""

MAGIC = b"\x93NUMPY"
MOST_BYTES = 768 << 20
"""Limit for all arrays of a file: three times the largest published head."""
_UNPACKED_BYTES, _MOST_RATIO = 64 << 20, 100
"""What any archive may unpack to, and by how much larger ones may be compressed: numbers of a face hardly are."""
_MOST_HEADER_BYTES = 10_000
_PIECE_BYTES = 1 << 20
"""Of an array, that are compressed at a time."""
_MOST_DIRECTORY_BYTES = 1 << 20
_END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
_LONGEST_COMMENT = 65_535
_FIELDS = {
    "descr": re.compile(r"'descr' *: *'([^']{1,20})' *[,}]"),
    "fortran_order": re.compile(r"'fortran_order' *: *(True|False) *[,}]"),
    "shape": re.compile(r"'shape' *: *\(([\dL ,]{0,200})\) *[,}]"),
}
_SIZE = re.compile(r" *(\d{1,12})L? *")
_DTYPE = re.compile(r"[<>|=]?(?:b1|i[1248]|u[1248]|f[248]|c8|c16|[SU][1-9]\d{0,7})")
_OBJECTS = re.compile(r"[|<>=]?O\d?")


class ArrayFileError(ValueError):
    """A file does not hold what it should; the message is the reason, without the file's name."""


class PickledArrayError(ArrayFileError):
    """An array holds pickled objects."""

    def __init__(self) -> None:
        """Describe the array."""
        super().__init__("it holds pickled objects")


class _Header(NamedTuple):
    dtype: np.dtype
    by_column: bool
    shape: tuple[int, ...]


def read_npy(path: Path, most_bytes: int = MOST_BYTES) -> np.ndarray:
    """The array in a `.npy` file.

    Args:
        path: the file.
        most_bytes: limit for the array's size.

    Raises:
        ArrayFileError: the file is no such file, is too large, or holds pickled objects.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        return _read_array(file, min(path.stat().st_size, most_bytes + _MOST_HEADER_BYTES))


def npy_shape(path: Path) -> tuple[int, ...]:
    """Shape of the array in a `.npy` file, which is not read.

    Raises:
        ArrayFileError: the file is no such file, or holds pickled objects.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        return _read_header(file)[0].shape


def read_npz(path: Path, names: Collection[str] | None = None, most_bytes: int = MOST_BYTES) -> dict[str, np.ndarray]:
    """The arrays in an `.npz` file by name.

    Args:
        path: the file.
        names: arrays that are read, if they are there; all of them if not given.
        most_bytes: limit for all arrays together.

    Raises:
        ArrayFileError: the file is no such archive, is too large, or holds pickled objects.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                members = _members(archive)
                for name in [name for name in members if names is not None and name not in names]:
                    _check_member(archive, members.pop(name))
                total = sum(entry.file_size for entry in members.values())
                most_bytes = min(most_bytes, max(_UNPACKED_BYTES, _MOST_RATIO * path.stat().st_size))
                if total > most_bytes:
                    raise ArrayFileError(f"it unpacks to {total >> 20} MiB; at most {most_bytes >> 20} are read")
                return {name: _read_member(archive, entry) for name, entry in members.items()}
        except ArrayFileError:
            raise
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error,
                OverflowError, OSError) as error:  # fmt: skip
            raise ArrayFileError(f"its archive is damaged ({reason_of(error)})") from None


def npz_names(path: Path) -> list[str]:
    """Names of the arrays in an `.npz` file, none of which is read.

    Raises:
        ArrayFileError: the file is no such archive.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                return list(_members(archive))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError) as error:
            raise ArrayFileError(f"its archive is damaged ({reason_of(error)})") from None


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write a compressed archive; what is left of it after an error is of no use.

    The same bytes as those of `numpy.savez_compressed`, which copies 16 MB at a time, and twice; arrays whose columns
    lie one after the other (Fortran's order) are written row by row.
    """
    with path.open("wb") as file:
        sink: Any = _Sink(file)
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, value in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    if isinstance(value, str) and value:
                        _write_text(member, value)
                    else:
                        _write_array(member, np.ascontiguousarray(value).reshape(np.shape(value)))


def _write_text(file: Stream, text: str) -> None:
    """Write a text as an array without dimensions."""
    header = {"descr": f"<U{len(text)}", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(file, header)
    for start in range(0, len(text), _PIECE_BYTES // 4):
        file.write(text[start : start + _PIECE_BYTES // 4].encode("utf-32-le", "surrogatepass"))


def _write_array(file: Stream, array: np.ndarray) -> None:
    """Write an array whose rows lie one after the other."""
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    held = array.reshape(-1).view(np.uint8).data if array.size else b""
    for start in range(0, len(held), _PIECE_BYTES):
        file.write(held[start : start + _PIECE_BYTES])


class _Sink:
    """A file that takes what follows an error without writing it.

    An archive ends with a directory even then, and what went wrong first is what counts, such as a full disk.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._failed = file, False

    def write(self, data: bytes) -> int:
        if not self._failed:
            self._failed = True
            self._file.write(data)
            self._failed = False
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _check_directory(file: IO[bytes]) -> None:
    """Refuse an archive with a directory of many files before it is read."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_OF_DIRECTORY.size - _LONGEST_COMMENT))
    end = file.read()
    place = end.rfind(b"PK\5\6")
    if place < 0 or len(end) - place < _END_OF_DIRECTORY.size:
        raise ArrayFileError("it is not an .npz archive, or truncated")
    length = _END_OF_DIRECTORY.unpack_from(end, place)[5]
    if length > _MOST_DIRECTORY_BYTES:
        raise ArrayFileError(f"its archive has a directory of {length} bytes; that is too much for arrays")
    file.seek(0)


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        if not entry.filename.endswith(".npy"):
            continue
        name = entry.filename.removesuffix(".npy")
        if name in members:
            raise ArrayFileError(f"it holds {name[:40]!r} twice")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArrayFileError(f"{name[:40]!r} is compressed in a way that NumPy does not use")
        members[name] = entry
    return members


def _check_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Refuse an array that is not read, but whose header lies: the file is damaged, or was made to do damage."""
    with archive.open(entry) as file:
        _check_size(*_read_header(file), entry.file_size)


def _read_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as file:
        return _read_array(file, entry.file_size)


def _read_array(file: Stream, size: int) -> np.ndarray:
    """The array in a stream.

    Args:
        file: a stream at the start of the magic bytes.
        size: number of bytes in it; more are not read.
    """
    header, length = _read_header(file)
    num_bytes = _check_size(header, length, size)
    memory = np.empty(num_bytes, np.uint8)  # the system provides it page by page, as data arrives
    room, done = memory.data, 0
    while done < num_bytes:
        got = file.readinto(room[done : done + (1 << 24)])  # type: ignore[attr-defined]
        if not got:
            raise ArrayFileError(f"it ends after {done} of {num_bytes} bytes of data")
        done += got
    array = memory.view(header.dtype).reshape(header.shape, order="F" if header.by_column else "C")
    if header.dtype.kind == "U":
        check_characters(array)
    return np.asarray(array.view(np.uint8) != 0) if header.dtype.kind == "b" else array


def _check_size(header: _Header, length: int, size: int) -> int:
    """Number of bytes of an array's data, if there are so many."""
    num_bytes = math.prod(header.shape) * header.dtype.itemsize
    if num_bytes > size - length:
        raise ArrayFileError(f"its header states {num_bytes} bytes of data, there are {max(0, size - length)}")
    return num_bytes


def _read_header(file: Stream) -> tuple[_Header, int]:
    """The header, and the number of bytes up to its end."""
    start = file.read(len(MAGIC) + 2)
    if len(start) < len(MAGIC) + 2 or not start.startswith(MAGIC):
        raise ArrayFileError("it is not an array of NumPy")
    form = {1: "<H", 2: "<I", 3: "<I"}.get(start[len(MAGIC)])
    if form is None:
        raise ArrayFileError(f"its array has the unknown version {start[len(MAGIC)]}")
    field = file.read(struct.calcsize(form))
    if len(field) < struct.calcsize(form):
        raise ArrayFileError("its array's header is truncated")
    (length,) = struct.unpack(form, field)
    if length > _MOST_HEADER_BYTES:
        raise ArrayFileError(f"its array's header has {length} bytes; at most {_MOST_HEADER_BYTES} are read")
    text = file.read(length).decode("latin1")
    found = {name: pattern.search(text) for name, pattern in _FIELDS.items()}
    if len(text) < length or any(match is None for match in found.values()):
        raise ArrayFileError("its array's header is damaged")
    descr, order, shape = (found[name][1] for name in ("descr", "fortran_order", "shape"))  # type: ignore[index]
    if _OBJECTS.fullmatch(descr):
        raise PickledArrayError
    if not _DTYPE.fullmatch(descr):
        raise ArrayFileError(f"its array has values of the kind {descr!r}")
    try:
        sizes = _sizes(shape)
        header = _Header(np.dtype(descr), order == "True", sizes)
    except (TypeError, ValueError) as error:
        raise ArrayFileError(f"its array's header is damaged ({_one_line(error)})") from None
    if math.prod(max(size, 1) for size in sizes) > 1 << 40:  # NumPy multiplies them even if one of them is zero
        raise ArrayFileError(f"its array has the shape {sizes}")
    return header, len(start) + len(field) + length


def _sizes(shape: str) -> tuple[int, ...]:
    """The numbers of a tuple; Python 2 wrote them with an L."""
    parts = shape.rstrip().removesuffix(",").split(",") if shape.strip() else []
    found = [_SIZE.fullmatch(part) for part in parts]
    if len(parts) > 8 or any(match is None for match in found):
        raise ValueError(f"its shape is ({shape[:40]})")
    return tuple(int(match[1]) for match in found if match is not None)


def check_characters(array: np.ndarray) -> None:
    """Refuse an array of texts with numbers that are no characters: Python cannot make or print texts of them.

    Raises:
        ArrayFileError: there are such numbers.
    """
    codes = np.ascontiguousarray(array).reshape(-1).astype(array.dtype.newbyteorder("<")).view("<u4")
    if np.any((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))):
        raise ArrayFileError("its texts hold numbers that are no characters")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
