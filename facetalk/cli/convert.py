"""`facetalk convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.options import FpsOption, JsonFlag, JsonLinesFlag, OverwriteFlag, SkipFlag
from facetalk.cli.progress import progress_display
from facetalk.cli.report import batch_report
from facetalk.importers.registry import SUFFIXES


def convert(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help=f"Motion files, or other programs' ({', '.join(SUFFIXES)}).")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="OUT", help="File whose suffix names the format; with several files a folder."
        ),
    ] = None,
    formats: Annotated[
        str | None, typer.Option("--format", metavar="LIST", help="See `facetalk export`.  [default: npz]")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option("--head", help="Head to convert to, or FLAME of FLAME parameters.  [default: the file's own]"),
    ] = None,
    source_fps: Annotated[
        float | None,
        typer.Option("--source-fps", metavar="RATE", help="Frame rate of files that do not state it.  [default: 30]"),
    ] = None,
    fps: FpsOption = None,
    overwrite: OverwriteFlag = False,
    skip_existing: SkipFlag = False,
    as_json: JsonFlag = False,
    json_lines: JsonLinesFlag = False,
) -> None:
    """Turn motions of other programs into motion files.

    Reads Live Link Face CSV, Audio2Face JSON, animations in GLB, glTF, VRM and VRMA, weights of EmoTalk (.npy) and
    FLAME parameters (.npz).
    """
    with batch_report("convert", as_json, json_lines) as report, progress_display() as show:
        from facetalk.exporters.base import ExportOptions
        from facetalk.pipelines import export as pipeline

        is_file = out is not None and formats is None and len(files) == 1 and bool(out.suffix)
        pipeline.export_all(
            files,
            out,
            formats=() if is_file else (formats or "npz").split(","),
            head=head,
            options=ExportOptions(fps=fps),
            source_fps=source_fps,
            overwrite=overwrite,
            skip_existing=skip_existing,
            progress=show,
            report=report.add,
        )
