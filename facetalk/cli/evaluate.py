"""`facetalk evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.output import HeadName, JsonFlag, print_failures, print_json, print_table


def evaluate(
    predicted: Annotated[Path, typer.Argument(metavar="PRED", help="Motion file, vertex file (.npy) or folder.")],
    reference: Annotated[Path, typer.Argument(metavar="REF", help="What it should be; a folder is paired by name.")],
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="lve, mve, fdd or lmd; may be repeated. All, if left away.")
    ] = None,
    head: HeadName = "facetalk",
    as_json: JsonFlag = False,
) -> None:
    """Say how far a predicted performance is from a reference, in millimetres.

    lve: worst lip vertex of each frame, as distance (mm) and squared (mm2). mve: mean of all vertices. fdd: how much
    stiller the upper face is than the reference's. lmd: distance of the 68 landmarks and of the mouth's 20 after
    alignment. The motion of the head as a whole is taken out first.
    """
    from facetalk.pipelines import evaluate as pipeline

    result = pipeline.evaluate(predicted, reference, metrics=metric or tuple(pipeline.METRICS), head=head)
    if as_json:
        print_json({"mean": result.mean, "pairs": result.pairs, "failed": result.failed})
    else:
        rows = [(name, *(f"{value:.4f}" for value in figures.values())) for name, figures in result.pairs.items()]
        if len(rows) > 1:
            rows.append(("mean", *(f"{value:.4f}" for value in result.mean.values())))
        print_table(("clip", *result.mean), rows)
    print_failures(result.failed)
    if result.failed:
        raise typer.Exit(1)
