"""`facetalk weights`."""

from __future__ import annotations

from typing import Annotated

import typer

from facetalk.cli.options import JsonFlag
from facetalk.cli.output import print_json, print_table
from facetalk.cli.progress import note


def weights(
    verify: Annotated[bool, typer.Option("--verify", help="Compare every file with its checksum.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the bundled weights, or verify them."""
    from facetalk.pipelines.weights import list_weights, verify_weights

    found = list_weights()
    problems = verify_weights() if verify else {}
    if as_json:
        listed = [entry._asdict() for entry in found]
        print_json({"weights": listed, "problems": problems} if verify else listed)
    else:
        rows = [(entry.name, f"{entry.size_mb:.2f}", entry.title) for entry in found]
        print_table(("name", "MB", "description"), rows)
        for name, problem in problems.items():
            note(f"{name}: {problem}")
        if verify and not problems:
            note("all checksums match")
    if problems:
        raise typer.Exit(3)
