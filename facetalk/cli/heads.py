"""`facetalk heads`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from facetalk.cli.command import command
from facetalk.cli.options import JsonFlag, OverwriteFlag
from facetalk.cli.output import print_json, print_path, print_table, print_text
from facetalk.cli.progress import note, progress_display


class ListByDefault(TyperGroup):
    """Command group whose default command is `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert `list` where the first argument is an option or missing."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)


heads = typer.Typer(
    cls=ListByDefault,
    help="List, show and install head models. Without a command: list.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

HeadArgument = Annotated[str, typer.Argument(metavar="HEAD", help="A name, or flame:PATH, ict:PATH, gnm:PATH.")]


@heads.command("list")
@command
def list_all(as_json: JsonFlag = False) -> None:
    """List the bundled and the installed head models."""
    from facetalk.pipelines.heads import list_heads

    found = list_heads()
    if as_json:
        print_json([head._asdict() for head in found])
    else:
        columns = ("name", "vertices", "faces", "channels", "identities", "license")
        rows = [(h.name, h.num_vertices, h.num_faces, h.num_channels, h.num_betas, h.license) for h in found]
        print_table(columns, rows)


@heads.command()
@command
def show(
    head: HeadArgument = "facetalk",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="OUT.png", help="Image to write.  [default: HEAD.png]")
    ] = None,
    size: Annotated[int, typer.Option("--size", min=32, max=1024, help="Side of each image, pixels.")] = 176,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Draw a contact sheet: the head at rest, every channel, identities."""
    from facetalk.motion.heads import load_head
    from facetalk.pipelines.head_sheet import show_head

    model = load_head(head)
    out_path = out or Path(f"{model.name.replace(':', '-')}.png")
    with progress_display() as show_progress:
        written = show_head(model, out_path, overwrite=overwrite, progress=show_progress, cell=size)
    if as_json:
        print_json({"picture": written, "head": model.name})
    else:
        print_path(written)


@heads.command()
@command
def install(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A file, folder or archive, or its URL.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the head.  [default: the file's name]")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="flame, ict or gnm.  [default: detected]")] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", help="Expected checksum of the file.")] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Install FLAME, ICT-FaceKit or GNM, so that --head NAME works.

    FLAME requires your registration at https://flame.is.tue.mpg.de: download it there and give the path. ICT-FaceKit
    and GNM are free: https://github.com/ICT-VGL/ICT-FaceKit and https://huggingface.co/google/gnm-v3 are fetched. The
    model's checksum and license are kept with the copy.
    """
    from facetalk.pipelines.heads import install_head

    with progress_display() as show_progress:
        installed = install_head(
            source, name=name, kind=kind, sha256=sha256, overwrite=overwrite, progress=show_progress
        )
    if as_json:
        print_json({**asdict(installed), "path": installed.path})
    else:
        print_text(f"{installed.name}: {installed.kind}, license {installed.license}, SHA-256 {installed.sha256}")


@heads.command()
@command
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="An installed head.")]) -> None:
    """Delete an installed head model."""
    from facetalk.pipelines.heads import remove_head

    remove_head(name)
    note(f"{name} removed")
