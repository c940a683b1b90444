"""Inputs that stand for many files: patterns that the shell has left alone, and lists of paths."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.media import checked_file

LIST_SUFFIX = ".txt"

MOST_BYTES = 16 << 20
MOST_PATHS = 100_000
"""Of a list, and of the files that a pattern matches."""


def listed(inputs: Iterable[Path | str]) -> list[Path]:
    """The inputs with patterns and lists replaced by what they stand for, as far as it is not among them already.

    Args:
        inputs: paths; patterns such as `takes/*.wav` or `takes/**/*.wav`, where no file has this name; and lists as
            `@list.txt`, with a path or a pattern in each line. Paths of a list count from its folder; empty lines and
            those that begin with `#` are left out.

    Raises:
        UsageError: a pattern matches nothing.
        FacetalkError: a list is missing, empty or no text.
    """
    found: list[Path] = []
    for given in inputs:
        path = Path(given)
        lines = _lines(Path(str(path)[1:])) if is_list(path) else [path]
        matches = [match for line in lines for match in _matches(line)]
        # Who names a file twice is told so later.
        found += matches if matches == [path] else [match for match in dict.fromkeys(matches) if match not in found]
    return found


def is_list(path: Path) -> bool:
    """Whether an input is a list of inputs, `@list.txt`."""
    return str(path).startswith("@") and path.suffix.lower() == LIST_SUFFIX and not path.exists()


def _lines(path: Path) -> Iterator[Path]:
    """The paths of a list."""
    if checked_file(path, "a list of paths").stat().st_size > MOST_BYTES:
        raise FacetalkError(f"{path} has more than {MOST_BYTES >> 20} MB; a list has a path in each line")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise FacetalkError(f"{path} is no text in UTF-8; a list has a path in each line") from None
    lines = [line.strip() for line in text.splitlines()]
    paths = [line for line in lines if line and not line.startswith("#")]
    if not paths or len(paths) > MOST_PATHS or "\0" in text:
        raise FacetalkError(f"{path} lists {len(paths)} paths; a list has 1 to {MOST_PATHS}, one in each line")
    return (path.parent / line for line in paths)


def _matches(path: Path) -> list[Path]:
    """The files that a pattern matches, sorted; a path itself if it is none."""
    if not glob.has_magic(str(path)) or path.exists():
        return [path]
    found = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
    if not found and not any(sign in str(path) for sign in "*?"):
        return [path]  # brackets are common in names
    if not found:
        raise UsageError(f"no file matches {str(path)!r:.200}")
    if len(found) > MOST_PATHS:
        raise UsageError(f"{len(found)} files match {str(path)!r:.200}; at most {MOST_PATHS} can be given at once")
    return [Path(match) for match in found]
