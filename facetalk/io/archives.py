"""Safe extraction of zip and tar archives from other people: no path outside the folder, no links, bounded size."""

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
"""Total size of all unpacked files of an archive."""
_MOST_FILES = 20_000
_BLOCK = 1 << 20
_HINT = "unpack it yourself and give the folder"


def is_archive(path: Path) -> bool:
    """Whether a file has the name of an archive (`.npz` is a zip file too, but does not count)."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(path: Path, folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Extract an archive's files into a folder.

    Links, devices and names that lead out of the folder are errors; so is too much data, which is counted while it is
    unpacked, because the sizes that an archive states can be wrong.

    Args:
        path: zip or tar file.
        folder: destination; created if needed.
        most_bytes: limit for all files together.
    """
    remaining = most_bytes
    try:
        for count, (name, source) in enumerate(
            _zip_entries(path) if path.name.lower().endswith(".zip") else _tar_entries(path)
        ):
            if count >= _MOST_FILES:
                raise FacetalkError(
                    f"{path} holds more than {_MOST_FILES} files; unpack it yourself and give the folder"
                )
            out_path = _inside(path, folder, name)
            out_path.parent.mkdir(parents=True, exist_ok=True)
            with out_path.open("wb") as file:
                while block := source.read(_BLOCK):
                    remaining -= len(block)
                    if remaining < 0:
                        raise FacetalkError(f"{path} unpacks to more than {most_bytes >> 20} MiB; {_HINT}")
                    file.write(block)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise FacetalkError(f"{path} is not an archive that can be unpacked ({error}); fetch it again") from None


def _inside(path: Path, folder: Path, name: str) -> Path:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0].startswith("/") or ":" in name or "\0" in name:
        raise FacetalkError(f"{path} holds the name {name!r}, which leads out of the folder; it is refused")
    return folder.joinpath(*parts)


def _zip_entries(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise FacetalkError(f"{path} holds the link or device {entry.filename!r}; it is refused")
            if not entry.is_dir():
                with archive.open(entry) as source:
                    yield entry.filename, source


def _tar_entries(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(path) as archive:
        for entry in archive:
            if not (entry.isfile() or entry.isdir()):
                raise FacetalkError(f"{path} holds the link or device {entry.name!r}; it is refused")
            source = archive.extractfile(entry) if entry.isfile() else None
            if source is not None:
                yield entry.name, source
