"""`facetalk train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.output import JsonFlag, print_json


def train(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A name (`facetalk config ls`) or a YAML file.")],
    data_dir: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="The data: for most networks a dataset that `facetalk fit` wrote."),
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="RUN", help="Folder of the run.  [default: runs/CONFIG]")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=C", help="Change an option; may be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint of the run.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a network from a configuration; `--set loop.device=cpu` or `cuda` picks the device."""
    from facetalk.pipelines import train as pipeline

    result = pipeline.train(config, data_dir, run_dir, settings=settings or (), resume=resume)
    if as_json:
        print_json({"run": result.run_dir, "figures": result.metrics})
        return
    for name, value in result.metrics.items():
        typer.echo(f"{name}  {value:.5g}")
    typer.echo(result.run_dir)
