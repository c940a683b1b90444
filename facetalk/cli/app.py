"""The `facetalk` command: registers the commands and turns errors into one line and an exit code."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from facetalk.cli.animate import animate
from facetalk.cli.config import config
from facetalk.cli.doctor import doctor
from facetalk.cli.evaluate import evaluate
from facetalk.cli.export import export
from facetalk.cli.fit import fit
from facetalk.cli.heads import heads
from facetalk.cli.render import render
from facetalk.cli.styles import styles
from facetalk.cli.train import train
from facetalk.cli.weights import weights
from facetalk.core.errors import FacetalkError
from facetalk.core.version import __version__

INTERRUPTED = 130


class Commands(TyperGroup):
    """All commands; errors that a user can fix are one line on stderr."""

    def invoke(self, ctx: Any) -> Any:
        """Run one command."""
        try:
            return super().invoke(ctx)
        except FacetalkError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            raise  # the program that read the results has ended; Typer exits without a message
        except OSError as error:  # no permission, no space left
            typer.echo(f"error: {error.filename or 'a file'}: {error.strerror or error}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help takes half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (fit, train, animate, render, export, evaluate, weights, doctor):
    app.command()(command)
app.add_typer(heads, name="heads")
app.add_typer(styles, name="styles")
app.add_typer(config, name="config")


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"facetalk {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def facetalk(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Speech in, a talking 3D head out. Exit codes: 0 done, 1 an input failed, 2 wrong usage, 3 an asset is missing."""


def main() -> None:
    """Entry point of the `facetalk` program."""
    app()
