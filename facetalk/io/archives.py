"""Files out of a zip or tar archive that somebody else packed: inside the folder, no links, no flood."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from facetalk.core.errors import FacetalkError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
MOST_BYTES = 4 << 30
"""Of all files of an archive together, unpacked."""
_MOST_FILES = 20_000
_BLOCK = 1 << 20
_BY_HAND = "unpack it yourself and give the folder"


def is_archive(path: Path) -> bool:
    """Whether a file is called like an archive (an `.npz` is a zip file, but not meant here)."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(path: Path, folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Write an archive's files into a folder.

    Links, devices and names that lead out of the folder stop it; so do more bytes than expected, which are counted as
    they come, because an archive can lie about its sizes.

    Args:
        path: zip or tar file.
        folder: where to; made if needed.
        most_bytes: of all files together.
    """
    left = most_bytes
    try:
        for count, (name, source) in enumerate(_zipped(path) if path.name.lower().endswith(".zip") else _tarred(path)):
            if count >= _MOST_FILES:
                raise FacetalkError(
                    f"{path} holds more than {_MOST_FILES} files; unpack it yourself and give the folder"
                )
            out_path = _inside(path, folder, name)
            out_path.parent.mkdir(parents=True, exist_ok=True)
            with out_path.open("wb") as file:
                while block := source.read(_BLOCK):
                    left -= len(block)
                    if left < 0:
                        raise FacetalkError(f"{path} unpacks to more than {most_bytes >> 20} MiB; {_BY_HAND}")
                    file.write(block)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise FacetalkError(f"{path} is not an archive that can be unpacked ({error}); fetch it again") from None


def _inside(path: Path, folder: Path, name: str) -> Path:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0].startswith("/") or ":" in name or "\0" in name:
        raise FacetalkError(f"{path} holds the name {name!r}, which leads out of the folder; it is refused")
    return folder.joinpath(*parts)


def _zipped(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise FacetalkError(f"{path} holds the link or device {entry.filename!r}; it is refused")
            if not entry.is_dir():
                with archive.open(entry) as source:
                    yield entry.filename, source


def _tarred(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path) as archive:
        for entry in archive:
            if not (entry.isfile() or entry.isdir()):
                raise FacetalkError(f"{path} holds the link or device {entry.name!r}; it is refused")
            source = archive.extractfile(entry) if entry.isfile() else None
            if source is not None:
                yield entry.name, source
