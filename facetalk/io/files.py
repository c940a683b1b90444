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
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{secrets.token_hex(3)}{path.suffix}")
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


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
