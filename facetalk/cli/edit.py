"""`facetalk edit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.options import (
    GainOption,
    JsonFlag,
    JsonLinesFlag,
    OffsetOption,
    OnlyOption,
    OverwriteFlag,
    SkipFlag,
)
from facetalk.cli.progress import progress_display
from facetalk.cli.report import batch_report


def edit(
    motion_path: Annotated[Path, typer.Argument(metavar="MOTION", help="Motion file, or another program's.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="OUT.npz", help="File to write.  [default: MOTION-edited.npz]"),
    ] = None,
    trim: Annotated[
        str | None, typer.Option("--trim", metavar="START:END", help="Keep this part, seconds: 2:8, 2: or :8.")
    ] = None,
    retime: Annotated[float, typer.Option("--retime", metavar="SPEED", help="1.1: faster by a tenth.")] = 1.0,
    mirror: Annotated[bool, typer.Option("--mirror", help="Exchange left and right.")] = False,
    smooth: Annotated[
        float, typer.Option("--smooth", metavar="FRAMES", help="Smooth over about so many thirtieths of a second.")
    ] = 0.0,
    gain: GainOption = None,
    offset: OffsetOption = None,
    only: OnlyOption = None,
    edits: Annotated[
        Path | None, typer.Option("--edits", metavar="FILE", help="A list of edits, such as take.edits.yaml.")
    ] = None,
    join: Annotated[
        list[Path] | None, typer.Option("--join", metavar="MOTION", help="A motion that follows; may be repeated.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Blend the end into the beginning.")] = False,
    crossfade: Annotated[
        float, typer.Option("--crossfade", metavar="SECONDS", help="Overlap of joined motions and of a loop; 0: a cut.")
    ] = 0.2,
    overwrite: OverwriteFlag = False,
    skip_existing: SkipFlag = False,
    as_json: JsonFlag = False,
    json_lines: JsonLinesFlag = False,
) -> None:
    """Edit a motion file: cut, retime, mirror, smooth, move regions, apply a list, join, loop: in this order."""
    with batch_report("edit", as_json, json_lines) as report, progress_display() as show:
        from facetalk.motion.regions import RegionalControl
        from facetalk.pipelines import edit as pipeline

        pipeline.edit_file(
            motion_path,
            pipeline.MotionEdits(
                trim=None if trim is None else pipeline.parse_span(trim),
                retime=retime,
                mirror=mirror,
                smooth=smooth,
                control=RegionalControl.parsed(gain, offset, only),
                edits=edits,
                join=tuple(join or ()),
                loop=loop,
                crossfade_s=crossfade,
            ),
            out,
            overwrite=overwrite,
            skip_existing=skip_existing,
            progress=show,
            report=report.add,
        )
