"""`facetalk animate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.output import (
    EyesName,
    FpsOption,
    HairName,
    HeadName,
    JsonFlag,
    OverwriteFlag,
    SkinName,
    SkipFlag,
    print_failures,
    print_json,
    progress_bar,
)
from facetalk.exporters.registry import FORMATS


def animate(
    speech: Annotated[list[Path], typer.Argument(metavar="SPEECH...", help="Audio files, or videos with speech.")],
    style: Annotated[
        str | None,
        typer.Option(
            "--style", metavar="REF", help="Speaking style: a video, motion file, style name, or mix A:0.4,B:0.6."
        ),
    ] = None,
    style_strength: Annotated[
        float, typer.Option("--style-strength", help="0: neutral; 1: as the reference; up to 1.5: exaggerated.")
    ] = 1.0,
    talker: Annotated[str, typer.Option("--talker", help="A bundled talker, or a folder of trained weights.")] = (
        "styletalk"
    ),
    head: HeadName = "facetalk",
    skin: SkinName = None,
    eyes: EyesName = None,
    hair: HairName = None,
    head_motion: Annotated[
        float, typer.Option("--head-motion", min=0, help="Multiplies the head motion; 0: none.")
    ] = 1.0,
    blinks: Annotated[float, typer.Option("--blinks", min=0, help="Multiplies the blink rate; 0: none.")] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="DIR",
            help="Output folder; one subfolder per input if there are many.  [default: SPEECH/]",
        ),
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", metavar="LIST", help=f"Comma-separated: {', '.join(FORMATS)}.")
    ] = "mp4,npz,glb",
    size: Annotated[int, typer.Option("--size", min=16, max=4096, help="Width and height of the video, pixels.")] = 512,
    fps: FpsOption = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of blinks and head motion.  [default: follows from the audio]")
    ] = None,
    overwrite: OverwriteFlag = False,
    skip_existing: SkipFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Turn speech into a talking head: a video with audio, a motion file and an animated mesh."""
    from facetalk.head.looks import Look
    from facetalk.pipelines import animate as pipeline

    options = pipeline.AnimateOptions(
        style=style,
        style_strength=style_strength,
        talker=talker,
        head=head,
        look=Look(skin, eyes, hair),
        head_motion=head_motion,
        blinks=blinks,
        formats=[name.strip() for name in formats.split(",")],
        size=size,
        fps=fps,
        seed=seed,
    )
    with progress_bar(as_json) as show:
        batch = pipeline.animate_all(
            speech, options, out=out, overwrite=overwrite, skip_existing=skip_existing, progress=show
        )
    if len(speech) == 1:
        for error in batch.failed.values():
            raise error
    failed = {str(path): str(error) for path, error in batch.failed.items()}
    if as_json:
        done = [
            {"speech": r.speech, "seconds": r.duration_s, "seed": r.seed, "files": r.paths, "timings_s": r.timings}
            for r in batch.done
        ]
        print_json({"done": done, "skipped": batch.skipped, "failed": failed})
    else:
        for result in batch.done:
            typer.echo("\n".join(str(path) for path in result.paths.values()))
        for path in batch.skipped:
            typer.echo(f"{path}: exists already", err=True)
    print_failures(failed)
    if failed:
        raise typer.Exit(1)
