"""`facetalk styles`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.command import command
from facetalk.cli.heads import ListByDefault
from facetalk.cli.options import JsonFlag, OverwriteFlag
from facetalk.cli.output import print_json, print_path, print_table, print_text
from facetalk.cli.progress import note, progress_display

styles = typer.Typer(
    cls=ListByDefault,
    help="Save, mix, list and plot speaking styles. Without a command: list.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TalkerName = Annotated[str, typer.Option("--talker", help="A bundled talker, or a folder of trained weights.")]
Reference = Annotated[
    str, typer.Argument(metavar="REF", help="A video, a motion file, a style name, or a mixture A:0.4,B:0.6.")
]
Strength = Annotated[float, typer.Option("--strength", help="0: neutral; 1: as the reference; up to 1.5: exaggerated.")]


@styles.command("list")
@command
def list_all(talker: TalkerName = "styletalk", as_json: JsonFlag = False) -> None:
    """List the styles that --style accepts by name."""
    from facetalk.pipelines.styles import list_styles

    entries = list_styles(talker)
    if as_json:
        print_json([asdict(entry) for entry in entries])
    else:
        print_table(("name", "kind", "from"), [(entry.name, entry.kind, entry.source) for entry in entries])


@styles.command()
@command
def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the style, for --style.")],
    reference: Reference,
    strength: Strength = 1.0,
    talker: TalkerName = "styletalk",
    overwrite: OverwriteFlag = False,
) -> None:
    """Save the style of a reference, or a mixture of styles, under a name."""
    _save(reference, name, strength, talker, overwrite)


@styles.command()
@command
def extract(
    reference: Reference,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="Style file that --style accepts; ends in .safetensors.")
    ],
    strength: Strength = 1.0,
    talker: TalkerName = "styletalk",
    overwrite: OverwriteFlag = False,
) -> None:
    """Write the style of a reference, or a mixture of styles, to a file."""
    from facetalk.core.errors import UsageError

    if out.suffix != ".safetensors":
        raise UsageError(f"a style file ends in .safetensors; {out} does not")
    _save(reference, out, strength, talker, overwrite)


@styles.command()
@command
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="A saved style.")]) -> None:
    """Delete a saved style."""
    from facetalk.pipelines.styles import remove_style

    remove_style(name)
    note(f"{name} removed")


@styles.command()
@command
def plot(
    references: Annotated[list[Path], typer.Argument(metavar="REF", help="Videos, motion files, or a dataset folder.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="OUT.png", help="Image; the page OUT.html is written next to it.")
    ] = (Path("styles.png")),
    by: Annotated[str, typer.Option("--by", help="Color by speaker or emotion.")] = "speaker",
    talker: TalkerName = "styletalk",
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Plot a t-SNE map of styles: an image, and a page to explore it."""
    from facetalk.pipelines.reports.style_map import plot_styles

    with progress_display() as show:
        made = plot_styles(references, out, by=by, talker=talker, overwrite=overwrite, progress=show)
    if as_json:
        print_json(asdict(made))
    else:
        print_text(f"{made.picture}\n{made.page}")


def _save(reference: str, target: str | Path, strength: float, talker: str, overwrite: bool) -> None:
    from facetalk.pipelines.styles import save_style

    with progress_display() as show:
        path = save_style(reference, target, talker=talker, strength=strength, overwrite=overwrite, progress=show)
    print_path(path)
