"""Inputs that stand for many files: patterns that the shell has left alone, and lists of paths."""

from __future__ import annotations

import codecs
import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from facetalk.core.errors import UsageError
from facetalk.io.media import checked_file

LIST_SUFFIX = ".txt"

MOST_BYTES = 16 << 20
MOST_PATHS = 100_000
"""Of a list, and of the files that a pattern matches."""


def listed(inputs: Iterable[Path | str]) -> list[Path]:
    """The inputs with patterns and lists replaced by what they stand for, each path once.

    Args:
        inputs: paths; patterns such as `takes/*.wav` or `takes/**/*.wav`, where no file has this name; and lists as
            `@list.txt`, with a path or a pattern in each line. Paths of a list count from its folder; empty lines and
            those that begin with `#` are left out.

    Raises:
        UsageError: a pattern matches nothing, or a list is empty or no text.
        FacetalkError: a list is missing.
    """
    found: dict[Path, None] = {}
    for path in as_paths(inputs):
        if is_list(path):
            found |= dict.fromkeys(_listed_in(Path(str(path)[1:])))
        else:
            found |= dict.fromkeys(_matches(str(path), Path()))
    return list(found)


def as_paths(inputs: object) -> list[Path]:
    """What a Python program gives as several inputs.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(inputs, str | bytes | os.PathLike):
        raise UsageError(f"a list of paths is needed, not {str(inputs)!r:.80} alone: put it in brackets")
    if not isinstance(inputs, Iterable):
        raise UsageError(f"a list of paths is needed, not {inputs!r:.80}")
    return [as_path(given, "an input") for given in inputs]


def single(given: Path | str, name: str, many: str) -> Path:
    """The path of one file.

    Args:
        given: must not stand for many files.
        name: of the argument.
        many: the function that takes many files.

    Raises:
        UsageError: it is a folder, a pattern or a list.
    """
    path = as_path(given, name)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give one file, or give the folder to {many}")
    if not path.exists() and (str(path).startswith("@") or any(sign in str(path) for sign in "*?")):
        raise UsageError(f"{path} stands for many files; give one file, or give it to {many}")
    return path


def as_path(given: object, name: str) -> Path:
    """What a Python program gives as a path.

    Args:
        given: text or a path.
        name: of the argument.

    Raises:
        UsageError: it is something else, or empty, which `Path` takes for the current folder.
    """
    if not isinstance(given, str | os.PathLike):
        raise UsageError(f"{name} is {given!r:.80}; a path is text or a Path")
    if given == "":
        raise UsageError(f"{name} is empty; give a path, or . for the current folder")
    return Path(given)


def is_list(path: Path) -> bool:
    """Whether an input is a list of inputs, `@list.txt`."""
    return str(path).startswith("@") and path.suffix.lower() == LIST_SUFFIX and not path.exists()


def _listed_in(path: Path) -> Iterator[Path]:
    """What the lines of a list stand for."""
    if path.is_file() and path.stat().st_size == 0:
        raise UsageError(f"{path} is empty; a list has a path in each line")
    if checked_file(path, "a list of paths").stat().st_size > MOST_BYTES:
        raise UsageError(f"{path} has more than {MOST_BYTES >> 20} MB; a list has a path in each line")
    # Names of files may be any bytes, as in folders.
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise UsageError(f"{path} is no text; a list has a path in each line")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines or len(lines) > MOST_PATHS:
        raise UsageError(f"{path} lists {len(lines)} paths; a list has 1 to {MOST_PATHS}, one in each line")
    for line in lines:
        if is_list(Path(line)) and not (path.parent / line).exists():
            raise UsageError(f"{path} lists the list {line!r:.200}; give it by itself, beside @{path}")
        yield from _matches(line, path.parent)


def _matches(line: str, folder: Path) -> list[Path]:
    """The files in a folder that a pattern matches, sorted; a path itself if it is none."""
    path = folder / line
    if not glob.has_magic(line) or path.exists():
        return [path]
    found = sorted(glob.glob(_pattern(path), recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
    if not found and not any(sign in line for sign in "*?"):
        return [path]  # brackets are common in names
    if not found:
        raise UsageError(f"no file matches {str(path)!r:.200}")
    if len(found) > MOST_PATHS:
        raise UsageError(f"{len(found)} files match {str(path)!r:.200}; at most {MOST_PATHS} can be given at once")
    return [Path(match) for match in found]


def _pattern(path: Path) -> str:
    """A pattern in which brackets count only from the first folder on that does not exist under this name."""
    existing = next(folder for folder in path.parents if folder.is_dir())
    return str(Path(glob.escape(str(existing))) / path.relative_to(existing))
