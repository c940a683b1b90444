"""glTF 2.0 of other people: `.gltf`, `.glb` and what is built on them, `.vrm` and `.vrma`.

A file is its JSON document and the bytes of its buffers. Buffers of a `.gltf` are read from files in its own folder and
below, never from elsewhere. Sizes and references are checked where they are used; nothing is believed because it is
written in the document. Compressed data (meshopt, Draco, KTX2) stays as it is.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import unquote

from facetalk.core.errors import FacetalkError
from facetalk.core.text_values import parse_json
from facetalk.io.media import checked_file

SUFFIXES = (".glb", ".gltf", ".vrm", ".vrma")

COMPRESSIONS = ("EXT_meshopt_compression", "KHR_meshopt_compression", "KHR_draco_mesh_compression")
"""Extensions whose data are not decoded here."""

_MOST_BYTES = 1 << 30
"""Of the file and of each file beside it."""
_MOST_CHARACTERS = 1 << 24
"""Of the document: a character with 20,000 accessors has three million."""
_GLB = struct.Struct("<4sII")
_CHUNK = struct.Struct("<I4s")
_DATA_URI = re.compile(r"data:[\w.+-]*/?[\w.+-]*;base64,", re.ASCII)


class GltfError(FacetalkError):
    """A glTF file is damaged, or refers to what is not there."""


class CompressedError(GltfError):
    """Values of a glTF file are stored in a way that is not decoded here."""


@dataclass(frozen=True, eq=False)
class GltfFile:
    """The document and the buffers of a file."""

    path: Path
    document: dict[str, Any]
    buffers: tuple[memoryview | None, ...]
    """Bytes of each buffer; None for those without, which only stand for compressed data."""

    def table(self, name: str) -> list[dict[str, Any]]:
        """The objects of one of the document's arrays; empty if it has none."""
        return self.objects(self.document, name, "the document")

    def objects(self, holder: dict[str, Any], name: str, where: str) -> list[dict[str, Any]]:
        """The objects of an array in an object.

        Args:
            holder: the object.
            name: of the array; a missing one is empty.
            where: what the object is, for errors.
        """
        found = holder.get(name, [])
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise self.error(f"{name!r} of {where} is not a list of objects")
        return found

    def numbered(self, name: str, number: object, where: str) -> dict[str, Any]:
        """The object with a number in one of the document's arrays.

        Args:
            name: of the array.
            number: as the document states it.
            where: what states it, for errors.
        """
        return self.table(name)[self.index(number, len(self.table(name)), f"{where} ({name})")]

    def index(self, number: object, count: int, where: str) -> int:
        """A number that the document states, if it is that of one of `count` things."""
        if not is_whole(number) or number >= count:
            raise self.error(f"{where} names number {str(number)[:20]}, there are {count}")
        return number

    def extension(self, holder: dict[str, Any], name: str) -> dict[str, Any]:
        """An extension of an object; empty if it has none of this name."""
        extensions = holder.get("extensions", {})
        found = extensions.get(name, {}) if isinstance(extensions, dict) else None
        if not isinstance(found, dict):
            raise self.error(f"the extension {name} is not an object")
        return found

    def error(self, reason: str) -> GltfError:
        """An error about this file."""
        return GltfError(f"{self.path}: {reason}")

    def beside(self, uri: str, where: str) -> memoryview:
        """The bytes that a URI stands for: those in it, or of a file in the folder of this one or below.

        Args:
            uri: as the document states it.
            where: what states it, for errors.
        """
        return _uri_bytes(self.path, uri, where)


def is_compressed(file: GltfFile) -> bool:
    """Whether a program must decode compressed geometry to show the file."""
    required = file.document.get("extensionsRequired", [])
    return isinstance(required, list) and any(name in COMPRESSIONS for name in required)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value of a document is a number of things: 0, 1, 2 and so on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def read_gltf(path: Path | str) -> GltfFile:
    """Read a file's document and buffers.

    Args:
        path: `.glb`, `.gltf`, `.vrm` or `.vrma` file; its content decides which of the two forms it has.

    Raises:
        GltfError: the file is damaged, not glTF 2.0, or names files elsewhere.
        FacetalkError: there is no such file.
    """
    path = checked_file(Path(path), "a glTF file")
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise GltfError(f"{path} has {size >> 20} MiB; at most {_MOST_BYTES >> 20} are read")
    data = memoryview(path.read_bytes())
    text, binary = _chunks(path, data) if data[:4] == b"glTF" else (data, None)
    document = _document(path, text)
    file = GltfFile(path, document, ())
    buffers = [_buffer(file, entry, number, binary) for number, entry in enumerate(file.table("buffers"))]
    return GltfFile(path, document, tuple(buffers))


def _chunks(path: Path, data: memoryview) -> tuple[memoryview, memoryview | None]:
    """The JSON text and the binary chunk of a `.glb`; chunks of other kinds are ignored, as the standard says."""
    if len(data) < _GLB.size + _CHUNK.size:
        raise GltfError(f"{path} is truncated: it has {len(data)} bytes")
    _, version, length = _GLB.unpack_from(data)
    if version != 2:
        raise GltfError(f"{path} is glTF of version {version}; version 2 is read: export it again as glTF 2.0")
    if length > len(data):
        raise GltfError(f"{path} is truncated: it states {length} bytes, there are {len(data)}")
    chunks: list[tuple[bytes, memoryview]] = []
    place = _GLB.size
    while place + _CHUNK.size <= length and len(chunks) < 2:
        size, kind = _CHUNK.unpack_from(data, place)
        place += _CHUNK.size
        if size > length - place:
            raise GltfError(f"{path} is damaged: a chunk states {size} bytes, there are {length - place}")
        chunks.append((kind, data[place : place + size]))
        place += size + -size % 4
    if not chunks or chunks[0][0] != b"JSON":
        raise GltfError(f"{path} is damaged: it does not begin with its JSON document")
    return chunks[0][1], chunks[1][1] if len(chunks) > 1 and chunks[1][0] == b"BIN\0" else None


def _document(path: Path, text: memoryview) -> dict[str, Any]:
    try:
        decoded = str(text, "utf-8-sig")
    except UnicodeDecodeError:
        raise GltfError(f"{path} is not a glTF file: its document is not text") from None
    document = parse_json(decoded, str(path), most_characters=_MOST_CHARACTERS)
    asset = document.get("asset") if isinstance(document, dict) else None
    version = str(asset.get("version"))[:20] if isinstance(asset, dict) else None
    if version is None:
        raise GltfError(f"{path} is not a glTF file: it does not say its version")
    if not version.startswith("2."):
        raise GltfError(f"{path} is glTF of version {version!r}; version 2 is read: export it again as glTF 2.0")
    return document


def _buffer(file: GltfFile, entry: dict[str, Any], number: int, binary: memoryview | None) -> memoryview | None:
    length, uri = entry.get("byteLength"), entry.get("uri")
    if not is_whole(length):
        raise file.error(f"buffer {number} does not say how long it is")
    if uri is None and (number > 0 or binary is None):
        return None
    data = binary if uri is None else file.beside(uri, f"buffer {number}")
    assert data is not None
    if length > len(data):
        raise file.error(f"buffer {number} states {length} bytes, there are {len(data)}")
    return data[:length]


def _uri_bytes(path: Path, uri: object, where: str) -> memoryview:
    if not isinstance(uri, str):
        raise GltfError(f"{path}: the URI of {where} is not text")
    inline = _DATA_URI.match(uri)
    if inline is not None:
        try:
            return memoryview(base64.b64decode(uri[inline.end() :], validate=True))
        except (binascii.Error, ValueError):
            raise GltfError(f"{path}: the data of {where} are not base64") from None
    name = unquote(uri)
    shown = repr(name[:80])
    folder = path.resolve().parent
    if re.match(r"[A-Za-z][\w+.-]*:|[/\\]", name) or "\0" in name or "\\" in name or len(name) > 1000:
        raise GltfError(f"{path}: {where} is at {shown}; only files beside {path.name} are read")
    try:
        target = (folder / name).resolve()
    except (OSError, RuntimeError):
        raise GltfError(f"{path}: {where} is at {shown}, which leads nowhere") from None
    if not target.is_relative_to(folder):
        raise GltfError(f"{path}: {where} is at {shown}; only files beside {path.name} are read")
    checked_file(target, f"{where} of {path.name}")
    if target.stat().st_size > _MOST_BYTES:
        raise GltfError(f"{target} has {target.stat().st_size >> 20} MiB; at most {_MOST_BYTES >> 20} are read")
    return memoryview(target.read_bytes())
