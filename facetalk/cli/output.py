"""Options that commands share, and what they print: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from facetalk.core.progress import Progress, no_progress

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
HeadName = Annotated[str, typer.Option("--head", help="Head model, see `facetalk heads`.")]
SkinName = Annotated[str | None, typer.Option("--skin", metavar="NAME", help="Skin tone, such as light or deep.")]
EyesName = Annotated[str | None, typer.Option("--eyes", metavar="NAME", help="Eye color, such as brown or blue.")]
HairName = Annotated[str | None, typer.Option("--hair", metavar="NAME", help="Hair color, such as black or blond.")]
FpsOption = Annotated[
    float | None,
    typer.Option(
        "--fps",
        metavar="RATE",
        help="Frames a second: 24, 25, 29.97 (30000/1001), 30, 50, 60, ...  [default: the motion's; animate: 30]",
    ),
]
OverwriteFlag = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
SkipFlag = Annotated[bool, typer.Option("--skip-existing", help="Skip inputs whose outputs exist.")]


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns on stdout, as plain text that other programs can parse."""
    cells = [list(columns), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_failures(failed: Mapping[str, str]) -> None:
    """Print a table of failed inputs and reasons on stderr."""
    if not failed:
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("input", "why it failed", title=f"{len(failed)} failed", title_justify="left")
    for name, reason in failed.items():
        table.add_row(name, reason)
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=10_000)  # one line per input in a log file
    console.print(table)


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[Progress]:
    """Yield a callback for pipelines that shows a progress bar on stderr if that is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield no_progress
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show
