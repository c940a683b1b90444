"""`facetalk export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.options import (
    AvatarOption,
    EyesName,
    FpsOption,
    GainOption,
    HairName,
    JsonFlag,
    JsonLinesFlag,
    OffsetOption,
    OnlyOption,
    OverwriteFlag,
    SkinName,
    SkipFlag,
)
from facetalk.cli.progress import progress_display
from facetalk.cli.report import batch_report
from facetalk.exporters.registry import FORMATS


def export(
    motions: Annotated[
        list[Path],
        typer.Argument(metavar="MOTION", help="Motion files (.npz), or other programs' that `facetalk convert` reads."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="OUT",
            help="File whose suffix names the format; with --format a folder.  [default: .]",
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", metavar="LIST", help=f"One or more of {', '.join(FORMATS)}, separated by commas."),
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="Head model.  [default: the one the motion was made for]")
    ] = None,
    avatar: AvatarOption = None,
    skin: SkinName = None,
    eyes: EyesName = None,
    hair: HairName = None,
    fps: FpsOption = None,
    gain: GainOption = None,
    offset: OffsetOption = None,
    only: OnlyOption = None,
    size: Annotated[
        int | None, typer.Option("--size", min=16, max=4096, help="Side of the video's image, pixels.  [default: 512]")
    ] = None,
    audio: Annotated[
        Path | None, typer.Option("--audio", help="Audio of the video.  [default: the speech of an animated motion]")
    ] = None,
    cues: Annotated[
        str | None,
        typer.Option("--cues", help="Of srt and vtt: a line, a word or a phoneme each.  [default: line]"),
    ] = None,
    expressions: Annotated[
        str | None,
        typer.Option("--expressions", help="Of vrma: all, or only preset or arkit ones.  [default: all]"),
    ] = None,
    overwrite: OverwriteFlag = False,
    skip_existing: SkipFlag = False,
    as_json: JsonFlag = False,
    json_lines: JsonLinesFlag = False,
) -> None:
    """Write motion files as video, mesh, curve or motion files."""
    with batch_report("export", as_json, json_lines) as report, progress_display() as show:
        from facetalk.exporters.base import ExportOptions
        from facetalk.head.looks import Look
        from facetalk.motion.regions import RegionalControl
        from facetalk.pipelines import export as pipeline

        pipeline.export_all(
            motions,
            out,
            formats=formats.split(",") if formats else (),
            head=head,
            look=Look(skin, eyes, hair),
            control=RegionalControl.parsed(gain, offset, only),
            options=ExportOptions(
                fps=fps,
                size=size,
                audio=audio,
                cues=cues or "line",
                expressions=expressions or "all",
                avatar=avatar,
            ),
            overwrite=overwrite,
            skip_existing=skip_existing,
            progress=show,
            report=report.add,
        )
