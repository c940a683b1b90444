"""`facetalk train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.options import JsonFlag
from facetalk.cli.output import print_json, print_path, print_text
from facetalk.cli.progress import progress_display
from facetalk.core.errors import UsageError
from facetalk.core.launchers import speaks_for_machine


def train(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A name (`facetalk config ls`) or a YAML file.")],
    data_dir: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="The data: for most networks a dataset that `facetalk fit` wrote."),
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="RUN", help="Folder of the run.  [default: runs/CONFIG]")
    ] = None,
    person: Annotated[
        list[Path] | None,
        typer.Option(
            "--person", metavar="VIDEO", help="The person in a video; may be repeated. For facial and render2video."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Change an option; may be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint of the run.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Keep RUN/report.html up to date: curves of losses and validation.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a network from a configuration; `--set loop.device=cpu` or `cuda` picks the device."""
    from facetalk.pipelines import train as pipeline

    with progress_display() as show:
        try:
            result = pipeline.train(
                config,
                data_dir,
                run_dir,
                person=person or (),
                settings=settings or (),
                resume=resume,
                with_report=report,
                progress=show.training,
            )
        except UsageError as error:
            if speaks_for_machine():
                raise
            raise typer.Exit(error.exit_code) from None
    if not result.is_first:  # of several processes; the first one speaks for all
        return
    if as_json:
        print_json({"run": result.run_dir, "figures": result.metrics})
        return
    for name, value in result.metrics.items():
        print_text(f"{name}  {value:.5g}")
    print_path(result.run_dir)
