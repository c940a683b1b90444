"""`facetalk render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.options import (
    AvatarOption,
    EngineOption,
    EyesName,
    FpsOption,
    GainOption,
    HairName,
    JobsOption,
    JsonFlag,
    JsonLinesFlag,
    OffsetOption,
    OnlyOption,
    OverwriteFlag,
    PhotoOption,
    PortraitOption,
    SkinName,
    SkipFlag,
    input_path,
)
from facetalk.cli.progress import progress_display
from facetalk.cli.report import batch_report


def render(
    motions: Annotated[
        list[Path],
        typer.Argument(
            metavar="MOTION",
            parser=input_path,
            help="Motion files (.npz), or other programs' that `facetalk convert` reads; folders or 'patterns*' of "
            "motion files, or @list.txt.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="OUT", help="A .mp4 file for one motion, or a folder.  [default: MOTION.mp4]"
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="Head model.  [default: the one the motion was made for]")
    ] = None,
    avatar: AvatarOption = None,
    photo: PhotoOption = None,
    portrait: PortraitOption = None,
    skin: SkinName = None,
    eyes: EyesName = None,
    hair: HairName = None,
    backend: Annotated[str, typer.Option("--backend", help="cpu, or pyrender where OpenGL is installed.")] = "cpu",
    camera: Annotated[
        str,
        typer.Option(
            "--camera", help="front, or tracked: camera, size and frame rate of the fitted video, with a plain wall."
        ),
    ] = "front",
    size: Annotated[
        int | None,
        typer.Option("--size", min=16, max=4096, help="Side of the front camera's image, pixels.  [default: 512]"),
    ] = None,
    fps: FpsOption = None,
    gain: GainOption = None,
    offset: OffsetOption = None,
    only: OnlyOption = None,
    audio: Annotated[
        Path | None,
        typer.Option(
            "--audio",
            help="Audio or video file whose audio is used.  [default: the speech of an animated motion, next to it or "
            "in the current folder; with --over the video's]",
        ),
    ] = None,
    with_audio: Annotated[bool, typer.Option(" /--no-audio", help="Without audio.", show_default=False)] = True,
    over: Annotated[
        Path | None,
        typer.Option("--over", metavar="VIDEO", help="Draw the face over this video (with --camera tracked)."),
    ] = None,
    jobs: JobsOption = None,
    engine: EngineOption = "local",
    overwrite: OverwriteFlag = False,
    skip_existing: SkipFlag = False,
    as_json: JsonFlag = False,
    json_lines: JsonLinesFlag = False,
) -> None:
    """Render motion files as videos."""
    with batch_report("render", as_json, json_lines) as report, progress_display() as show:
        from facetalk.head.looks import Look
        from facetalk.motion.regions import RegionalControl
        from facetalk.pipelines.render_files import render_files

        render_files(
            motions,
            out,
            head=head,
            look=Look(skin, eyes, hair),
            control=RegionalControl.parsed(gain, offset, only),
            backend=backend,
            camera=camera,
            size=size,
            fps=fps,
            audio=audio,
            with_audio=with_audio,
            over=over,
            avatar=avatar,
            photo=photo,
            portrait=portrait,
            overwrite=overwrite,
            skip_existing=skip_existing,
            jobs=jobs,
            engine=engine,
            progress=show,
            report=report.add,
        )
