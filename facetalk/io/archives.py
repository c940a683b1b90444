"""Safe extraction of zip and tar archives from other people: no path outside the folder, no links, bounded size.

A child process unpacks, see `io.sandbox`: the headers of an archive may be of any length too.
"""

from __future__ import annotations

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from facetalk.core.errors import FacetalkError
from facetalk.io.reasons import reason_of
from facetalk.io.sandbox import Limits, run_confined

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
MOST_BYTES = 2 << 30
"""Total size of all unpacked files of an archive."""
_UNPACKED_BYTES, _MOST_RATIO = 256 << 20, 100
"""What any archive may unpack to, and by how much larger ones may be compressed: meshes as text are ten times."""
_MOST_ENTRIES = 20_000
"""Files and folders."""
_MOST_LEVELS = 20
_BLOCK = 1 << 20
_HINT = "unpack it yourself and give the folder"
_LIMITS = Limits(memory_bytes=384 << 20, processor_s=40, wall_s=180)


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

    Raises:
        FacetalkError: the archive is damaged, too large, or not safe.
    """
    run_confined(extract, path, str(folder.absolute()), most_bytes, limits=_LIMITS)


def extract(path: Path, folder: str, most_bytes: int) -> None:
    """Extract an archive; runs in the child process.

    Args:
        path: zip or tar file.
        folder: destination.
        most_bytes: limit for all files together.
    """
    most_bytes = min(most_bytes, max(_UNPACKED_BYTES, _MOST_RATIO * path.stat().st_size))
    remaining = most_bytes
    entries = _zip_entries(path) if path.name.lower().endswith(".zip") else _tar_entries(path)
    try:
        for count, (name, source) in enumerate(entries):
            if count >= _MOST_ENTRIES:
                raise FacetalkError(f"{path} holds more than {_MOST_ENTRIES} files and folders; {_HINT}")
            out_path = _inside(path, Path(folder), name)
            if source is None:
                continue
            out_path.parent.mkdir(parents=True, exist_ok=True)
            with out_path.open("xb") as file:
                while block := source.read(_BLOCK):
                    remaining -= len(block)
                    if remaining < 0:
                        raise FacetalkError(f"{path} unpacks to more than {most_bytes >> 20} MiB; {_HINT}")
                    file.write(block)
    except FacetalkError:
        raise
    except FileExistsError:
        raise FacetalkError(f"{path} holds a name twice; {_HINT}") from None
    except MemoryError:
        raise
    except Exception as error:  # the formats and their compression have many errors of their own
        reason = reason_of(error, 100)
        hint = _HINT if "encrypted" in reason else "fetch it again"
        raise FacetalkError(f"{path} is not an archive that can be unpacked ({reason}); {hint}") from None


def _inside(path: Path, folder: Path, name: str) -> Path:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0].startswith("/") or ":" in name or "\0" in name:
        raise FacetalkError(f"{path} holds the name {name[:80]!r}, which leads out of the folder; it is refused")
    if len(parts) > _MOST_LEVELS or not name.isprintable():
        raise FacetalkError(f"{path} holds the name {name[:80]!r}, which no head model has; {_HINT}")
    return folder.joinpath(*parts)


def _zip_entries(path: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise FacetalkError(f"{path} holds the link or device {entry.filename[:80]!r}; it is refused")
            if entry.is_dir():
                yield entry.filename, None
            else:
                with archive.open(entry) as source:
                    yield entry.filename, source


def _tar_entries(path: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with tarfile.open(path) as archive:
        for entry in archive:
            if not (entry.isfile() or entry.isdir()):
                raise FacetalkError(f"{path} holds the link or device {entry.name[:80]!r}; it is refused")
            yield entry.name, archive.extractfile(entry) if entry.isfile() else None
