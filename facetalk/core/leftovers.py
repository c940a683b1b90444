"""What has to go when a run ends early: temporary files, and programs that it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_paths: dict[Path, int] = {}
"""Temporary files and folders, with the process that made them: a forked process must not remove its parent's."""
_processes: set[subprocess.Popen[Any]] = set()
_item = ""
"""Names the item of a batch that this process works on."""


@contextmanager
def working_on(item: str) -> Iterator[None]:
    """Within the block, the names of temporary files begin with that of an item of a batch, see `discard_earlier`."""
    global _item
    before, _item = _item, item
    try:
        yield
    finally:
        _item = before


def maker() -> str:
    """What the names of temporary files begin with."""
    return _item or str(os.getpid())


def discard_earlier(folder: Path) -> None:
    """Remove what an earlier try at the same item has left in a folder: its process was killed."""
    if not _item:
        return
    for path in folder.glob(f".{_item}-*"):
        if path not in _paths:
            with contextlib.suppress(OSError):
                _remove(path)


@contextmanager
def temporary(path: Path) -> Iterator[Path]:
    """A file or folder, not made here, that is removed at the end of the block, or with `discard_leftovers`."""
    _paths[path] = os.getpid()
    try:
        yield path
    finally:
        _remove(path)
        _paths.pop(path, None)


def started(process: subprocess.Popen[Any]) -> subprocess.Popen[Any]:
    """Note a child process, so that it ends with this one."""
    for other in list(_processes):
        if other.returncode is not None:
            _processes.discard(other)
    _processes.add(process)
    return process


def discard_leftovers() -> None:
    """End the child processes and remove the temporary files that are left; other threads may still be at work."""
    for process in list(_processes):
        with contextlib.suppress(OSError):
            process.kill()
    for path, owner in list(_paths.items()):
        if owner == os.getpid():
            with contextlib.suppress(OSError):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
