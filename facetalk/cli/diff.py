"""`facetalk diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facetalk.cli.options import JsonFlag
from facetalk.cli.output import print_json, print_table, print_text
from facetalk.cli.tolerance import leave_if_beyond

if TYPE_CHECKING:
    from facetalk.metrics.curve_differences import CurveDifference

SHOWN_SPANS = 3


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="Motion file, or another program's.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Motion file for the same head.")],
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            help="Exit with 1 if a channel differs by more than this, a rotation by more than 100 times as many "
            "degrees, the position by 100 times as many millimeters, or the length.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say where and by how much two motions differ; without --tolerance, the exit code is 0 all the same."""
    from facetalk.pipelines import diff as pipeline

    found = pipeline.diff(first, second, tolerance)
    if as_json:
        print_json(
            {
                "seconds": found.seconds,
                "fps": found.fps,
                "same_length": found.same_length,
                "largest_beta": found.largest_beta,
                "tolerance": tolerance,
                "within": found.within,
                "curves": [
                    {
                        "name": curve.name, "unit": curve.unit, "largest": curve.largest, "at_s": curve.at_s,
                        "rms": curve.rms, "exceeds": curve.exceeds, "spans_s": curve.spans,
                    }
                    for curve in found.curves
                ],
            }
        )  # fmt: skip
    else:
        if not found.same_length:
            print_text(f"lengths differ: {found.seconds[0]:.3f} s and {found.seconds[1]:.3f} s")
        if found.largest_beta:
            print_text(f"identities differ: by up to {found.largest_beta:.4g}")
        shown = [curve for curve in found.curves if curve.exceeds]
        if shown:
            rows = [
                (curve.name, f"{curve.largest:.4f}", curve.unit, f"{curve.at_s:.2f}", f"{curve.rms:.4f}", _spans(curve))
                for curve in shown
            ]
            print_table(("curve", "largest", "unit", "at_s", "rms", "spans_s"), rows)
        elif found.within:
            print_text("no differences" if not found.curves else "no differences beyond the tolerance")
    leave_if_beyond(tolerance is not None, found.within)


def _spans(curve: CurveDifference) -> str:
    text = ", ".join(f"{start:.2f}-{end:.2f}" for start, end in curve.spans[:SHOWN_SPANS])
    return text + (f" and {len(curve.spans) - SHOWN_SPANS} more" if len(curve.spans) > SHOWN_SPANS else "")
