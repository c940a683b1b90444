"""`facetalk view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from facetalk.cli.options import EyesName, HairName, JsonFlag, OverwriteFlag, SkinName
from facetalk.cli.output import print_json, print_path, print_text
from facetalk.cli.progress import note, progress_display


def view(
    motions: Annotated[
        list[Path],
        typer.Argument(
            metavar="MOTION|FOLDER",
            help="Motion files, files that `facetalk convert` reads, or folders of motion files; shown side by side.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="OUT.html", help="Write the page to a file instead of serving it."),
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="Head model.  [default: the one each motion was made for]")
    ] = None,
    skin: SkinName = None,
    eyes: EyesName = None,
    hair: HairName = None,
    audio: Annotated[
        Path | None,
        typer.Option(
            "--audio",
            help="Audio or video file that is heard.  [default: the speech of an animated motion, or the .wav file "
            "beside a fitted one]",
        ),
    ] = None,
    with_audio: Annotated[bool, typer.Option(" /--no-audio", help="Without audio.", show_default=False)] = True,
    with_styles: Annotated[
        bool, typer.Option(" /--no-styles", help="Without the map of speaking styles.", show_default=False)
    ] = True,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of the server; 0: any free one.", show_default=False)
    ] = 0,
    browse: Annotated[bool, typer.Option(" /--no-browser", help="Only print the address.", show_default=False)] = True,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Play motions in a browser: a page on this computer until Ctrl-C, or with -o one HTML file."""
    from facetalk.head.looks import Look
    from facetalk.pipelines import view as pipeline
    from facetalk.pipelines.page_server import PageServer, open_browser

    options: dict[str, Any] = {"head": head, "look": Look(skin, eyes, hair), "audio": audio}
    options |= {"with_audio": with_audio, "with_styles": with_styles}
    if out is not None:
        with progress_display() as show:
            path = pipeline.view(motions, out, overwrite=overwrite, progress=show, **options)
        print_json({"page": path}) if as_json else print_path(path)
        return
    with progress_display() as show:
        page = pipeline.view_page(motions, progress=show, **options)
    with PageServer(page, port) as server:
        print_json({"address": server.address}) if as_json else print_text(server.address)
        note("Ctrl-C ends")
        if browse:
            open_browser(server.address)
        server.serve_forever()
