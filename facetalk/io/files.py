"""Atomic writing: every file gets a temporary name until it is complete."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from facetalk.core.errors import FacetalkError
from facetalk.core.leftovers import discard_earlier, maker, temporary


def make_folder(path: Path) -> None:
    """Make a folder with its parents."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise FacetalkError(f"{path} is a file; give a folder") from None
    except OSError as error:
        raise FacetalkError(f"cannot make the folder {path}: {error.strerror}") from None


@contextmanager
def folder_of_results(path: Path) -> Iterator[None]:
    """A folder that is made with its parents before the block, so that a wrong one is noticed before long work.

    After an error in the block those that are new and empty are removed.
    """
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    make_folder(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # it holds something, or is gone
            for folder in new:
                folder.rmdir()
        raise


def make_data_folder(path: Path) -> None:
    """Make a folder of the user's data, where a home that cannot be written to is not the end."""
    try:
        make_folder(path)
    except FacetalkError as error:
        raise FacetalkError(f"{error}; set XDG_DATA_HOME to a writable folder") from None
    if not os.access(path, os.W_OK):
        raise FacetalkError(f"{path} cannot be written to; set XDG_DATA_HOME to a writable folder")


_kept: list[Path] = []


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Within the block, in all threads, an output whose folder has disappeared from this one is an error.

    Otherwise a folder that somebody moves or unmounts during a run would be made again, with half of the results in it.
    """
    kept = folder.absolute()
    _kept.append(kept)
    try:
        yield
    finally:
        _kept.remove(kept)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path next to `path` with the same suffix, renamed to `path` at the end; removed after an error.

    Works for a file and for a folder. The folder that holds it is made if needed, but see `keeping`.
    """
    path = Path(path)
    if any(path.absolute().is_relative_to(folder) for folder in _kept):
        _check_parent(path)
    make_folder(path.parent)
    discard_earlier(path.parent)
    # Short, so that it fits wherever the final name does.
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= 16 else ""
    with temporary(_temporary_name(path, suffix)) as partial:
        try:
            yield partial
            _put(partial, path)
        except OSError as error:
            _check_parent(path)
            if error.filename is None or str(error.filename) == str(partial):
                error.filename, error.filename2 = str(path), None
            raise


def _check_parent(path: Path) -> None:
    if not path.parent.is_dir():
        found = "is not a folder" if path.parent.exists() else "does not exist any more"
        raise FacetalkError(f"cannot write {path.name}: {path.parent} {found}")


def _temporary_name(path: Path, suffix: str = "") -> Path:
    return path.with_name(f".{maker()}-{secrets.token_hex(3)}{suffix}")


def _put(partial: Path, path: Path) -> None:
    """Rename to the final name. A folder only makes way for a folder, and only once that is complete."""
    if not path.is_dir() or path.is_symlink():
        partial.replace(path)
        return
    if not partial.is_dir():
        raise FacetalkError(f"{path} is a folder; it is not replaced by a file, give another name")
    with temporary(_temporary_name(path)) as old:
        path.rename(old)
        try:
            partial.rename(path)
        except BaseException:
            old.rename(path)
            raise


def checked_name(name: object, where: Path) -> str:
    """A name out of a file, if it is that of a file in the same folder.

    Args:
        name: as the file states it.
        where: the file, for the error.
    """
    if not isinstance(name, str) or name in ("", ".", "..") or Path(name).name != name or "\0" in name:
        raise FacetalkError(f"{where} names a clip {name!r:.80}; a clip's name cannot lead to another folder")
    return name


def what_is(path: Path) -> str:
    """What is at a path that is no file, for an error."""
    return "a folder" if path.is_dir() else "a pipe or a device"


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
