"""`facetalk evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.options import HeadName, JsonFlag
from facetalk.cli.output import print_failures, print_json, print_table


def evaluate(
    predicted: Annotated[Path, typer.Argument(metavar="PRED", help="Motion file, vertex file (.npy) or folder.")],
    reference: Annotated[Path, typer.Argument(metavar="REF", help="What to compare with; folders are paired by name.")],
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="lve, mve, fdd or lmd; may be repeated.  [default: all]")
    ] = None,
    head: HeadName = "facetalk",
    as_json: JsonFlag = False,
) -> None:
    """Compare predicted motion with a reference, in millimeters.

    lve: largest error among the lip vertices of each frame, as distance (mm) and squared (mm2). mve: mean error of all
    vertices. fdd: how much less the upper face moves than the reference's. lmd: distance of the 68 landmarks and of
    the 20 of the mouth after alignment. The motion of the head as a whole is removed first.
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
