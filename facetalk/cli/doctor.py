"""`facetalk doctor`."""

from __future__ import annotations

import typer

from facetalk.cli.options import JsonFlag
from facetalk.cli.output import print_json, print_table


def doctor(as_json: JsonFlag = False) -> None:
    """Report what works here, what is missing and how to get it. Exit code 3: something necessary is missing."""
    from facetalk.pipelines.doctor import examine

    findings = examine()
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        rows = [(f.state, f.name, f.found, f.advice) for f in findings]
        print_table(("state", "part", "found", "what to do"), rows)
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(3)
