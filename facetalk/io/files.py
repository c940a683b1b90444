"""Atomic writing: every file gets a temporary name until it is complete."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facetalk.core.errors import FacetalkError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path next to `path` with the same suffix, renamed to `path` at the end; removed after an error.

    Works for a file and for a folder.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FacetalkError(f"cannot make the folder {path.parent}: {error.strerror}") from None
    # Short, so that it fits wherever the final name does.
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= 16 else ""
    temporary = path.with_name(f".{os.getpid()}-{secrets.token_hex(3)}{suffix}")
    try:
        yield temporary
        _put(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def _put(temporary: Path, path: Path) -> None:
    """Rename to the final name. A folder only makes way for a folder, and only once that is complete."""
    if path.is_dir() and not path.is_symlink():
        if not temporary.is_dir():
            raise FacetalkError(f"{path} is a folder; it is not replaced by a file, give another name")
        old = path.with_name(f".{os.getpid()}-{secrets.token_hex(3)}")
        path.rename(old)
        temporary.rename(path)
        shutil.rmtree(old)
        return
    temporary.replace(path)


def checked_name(name: object, where: Path) -> str:
    """A name out of a file, if it is that of a file in the same folder.

    Args:
        name: as the file states it.
        where: the file, for the error.
    """
    if not isinstance(name, str) or name in ("", ".", "..") or Path(name).name != name or "\0" in name:
        raise FacetalkError(f"{where} names a clip {name!r:.80}; a clip's name cannot lead to another folder")
    return name


def free_path(path: Path | str, overwrite: bool) -> Path:
    """The path, if it does not exist or may be overwritten."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise FacetalkError(f"{path} exists already; give another name or --overwrite")
    return path


def file_checksum(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()
