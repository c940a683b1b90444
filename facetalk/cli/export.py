"""`facetalk export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.output import (
    EyesName,
    FpsOption,
    HairName,
    JsonFlag,
    OverwriteFlag,
    SkinName,
    print_failures,
    print_json,
    progress_bar,
)
from facetalk.exporters.registry import FORMATS


def export(
    motions: Annotated[
        list[Path], typer.Argument(metavar="MOTION...", help="Motion files (.npz), animated or fitted.")
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
    skin: SkinName = None,
    eyes: EyesName = None,
    hair: HairName = None,
    fps: FpsOption = None,
    size: Annotated[int, typer.Option("--size", min=16, max=4096, help="Side of the video's image, pixels.")] = 512,
    audio: Annotated[
        Path | None, typer.Option("--audio", help="Audio or video file whose audio the video gets.")
    ] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Write motion files as video, mesh, curve or motion files."""
    from facetalk.exporters.base import ExportOptions
    from facetalk.head.looks import Look
    from facetalk.pipelines import export as pipeline

    with progress_bar(as_json) as show:
        batch = pipeline.export_all(
            motions,
            out,
            formats=formats.split(",") if formats else (),
            head=head,
            look=Look(skin, eyes, hair),
            options=ExportOptions(fps=fps, size=size, audio=audio),
            overwrite=overwrite,
            progress=show,
        )
    if len(motions) == 1:
        for error in batch.failed.values():
            raise error
    failed = {str(path): str(error) for path, error in batch.failed.items()}
    if as_json:
        done = [{"motion": path, "files": files} for path, files in batch.done.items()]
        print_json({"done": done, "failed": failed})
    else:
        for files in batch.done.values():
            typer.echo("\n".join(str(path) for path in files.values()))
    print_failures(failed)
    if failed:
        raise typer.Exit(1)
