"""What commands print: results on stdout, as text or as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from facetalk.cli.progress import ProgressMode, messages, say
from facetalk.core.errors import FacetalkError
from facetalk.core.text import one_line

printed: ContextVar[list[str]] = ContextVar("printed")
"""Set by each command to a list, which gets an entry with the JSON document."""


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    printed.get([]).append("document")
    print_text(json_text(value, indent=2))


def print_early_error(arguments: Sequence[str], error: str, code: int) -> None:
    """Print an error that comes before its command has begun as JSON, if the arguments ask for that."""
    if "--json" in arguments:
        print_json({"error": error, "exit_code": code})
    elif "--json-lines" in arguments:
        print_text(json_text({"event": "summary", "error": error, "exit_code": code}))


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON; in ASCII unless stdout takes all of it as UTF-8, the encoding of JSON."""
    text = json.dumps(value, indent=indent, default=str, ensure_ascii=False)
    try:
        text.encode("utf-8")
        is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf_8")
    except UnicodeEncodeError:  # a file name that is no text
        is_unicode = False
    return text if is_unicode else json.dumps(value, indent=indent, default=str)


def print_path(path: Path | str) -> None:
    """Print the path of a result: as it is for programs, without control characters on a terminal."""
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        print_text(one_line(str(path)))
        return
    with _writing():  # a program that reads it wants the bytes of the name, whatever the encoding
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")
        sys.stdout.buffer.flush()


def print_text(text: str) -> None:
    """Print lines on stdout at once.

    Raises:
        BrokenPipeError: the program that reads them has ended.
        FacetalkError: they cannot be written.
    """
    with _writing():
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        drop_stdout()
        if isinstance(error, BrokenPipeError):
            raise
        raise FacetalkError(f"the results cannot be written to stdout: {error.strerror}") from None


def drop_stdout() -> None:
    """Send what is left in the buffer nowhere, so that the end of the program does not fail on it again."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns on stdout, as plain text that other programs can parse."""
    cells = [list(columns), *[[one_line(str(cell)) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    print_text("\n".join(lines))


def print_failures(failed: Mapping[str, str]) -> None:
    """Print a table of failed inputs and reasons on stderr; messages where programs read it."""
    if not failed:
        return
    if messages().mode is ProgressMode.json:
        for name, reason in failed.items():
            say(reason if reason.startswith(name) else f"{name}: {reason}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("input", "why it failed", title=f"{len(failed)} failed", title_justify="left")
    for name, reason in failed.items():
        table.add_row(Text(one_line(name)), Text(one_line(reason)))
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=10_000)  # one line per input in a log file
    console.print(table)
