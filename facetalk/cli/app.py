"""The `facetalk` command: registers the commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from facetalk.cli.animate import animate
from facetalk.cli.avatar import avatar
from facetalk.cli.command import command
from facetalk.cli.config import config
from facetalk.cli.convert import convert
from facetalk.cli.diff import diff
from facetalk.cli.doctor import doctor
from facetalk.cli.edit import edit
from facetalk.cli.evaluate import evaluate
from facetalk.cli.export import export
from facetalk.cli.fit import fit
from facetalk.cli.heads import heads
from facetalk.cli.output import drop_stdout, print_early_error
from facetalk.cli.render import render
from facetalk.cli.serve import serve
from facetalk.cli.styles import styles
from facetalk.cli.train import train
from facetalk.cli.view import view
from facetalk.cli.weights import weights
from facetalk.core.launchers import speaks_for_machine
from facetalk.core.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help takes half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
for function in (
    fit,
    train,
    animate,
    edit,
    diff,
    render,
    serve,
    view,
    export,
    convert,
    avatar,
    evaluate,
    weights,
    doctor,
):
    app.command()(command(function))
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
    """Speech in, a talking 3D head out.

    Exit codes: 0 done, 1 an input failed, 2 wrong usage, 3 an asset is missing, 130 interrupted (143 by SIGTERM).
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code = app(list(arguments), prog_name="facetalk", standalone_mode=False)
    except SystemExit as end:
        code = end.code
    except OSError as error:  # of what typer prints itself: help, version and completion
        drop_stdout()
        sys.stderr.write(f"error: the text cannot be written to stdout: {error.strerror}\n")
        code = 1
    except Exception as error:
        # Typer's errors about arguments; some of its versions have click's classes, some their own.
        show, tell = getattr(error, "show", None), getattr(error, "format_message", None)
        if show is None or tell is None:
            raise
        code = getattr(error, "exit_code", 2)
        if arguments[:1] != ["train"] or speaks_for_machine():
            show()
            print_early_error(arguments, tell(), code)
    return code if isinstance(code, int) else int(code is not None)
