"""`facetalk config ls` and `facetalk config show`."""

from __future__ import annotations

from typing import Annotated

import typer

from facetalk.cli.command import command
from facetalk.cli.options import JsonFlag
from facetalk.cli.output import print_json, print_text

config = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="List and print the configurations that `facetalk train` takes."
)


@config.command("ls")
@command
def list_configs(as_json: JsonFlag = False) -> None:
    """List the configurations that come with the package."""
    from facetalk.recipes.registry import config_names

    names = config_names()
    if as_json:
        print_json(names)
    else:
        print_text("\n".join(names))


@config.command("show")
@command
def show_config(
    name: Annotated[str, typer.Argument(help="A name from `facetalk config ls` or a YAML file.")],
    as_json: JsonFlag = False,
) -> None:
    """Print one configuration, to be copied and changed."""
    from facetalk.recipes.registry import read_training_config

    options = read_training_config(name)
    if as_json:
        print_json(options)
        return
    import yaml

    print_text(yaml.safe_dump(options, sort_keys=False).rstrip())
