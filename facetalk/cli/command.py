"""What all commands have in common: options about messages, and errors as one line and an exit code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from facetalk.cli.options import ProgressChoice, QuietFlag, VerboseFlag
from facetalk.cli.output import json_text, print_json, print_text, printed
from facetalk.cli.progress import Messages, ProgressMode, say, use_messages
from facetalk.core.errors import USER_ERRORS, FacetalkError, UsageError, user_error
from facetalk.core.interruption import acknowledge, interruption_code

READER_ENDED = 141
"""Exit code where the program that reads stdout has ended: that of a program that SIGPIPE ends."""

_SHARED = {
    "quiet": (QuietFlag, False),
    "verbose": (VerboseFlag, False),
    "progress": (ProgressChoice, ProgressMode.auto),
}


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options about messages to a command, and turn its errors into one line and an exit code."""

    @wraps(function)
    def run(**options: Any) -> None:
        quiet, verbose, progress = (options.pop(name) for name in _SHARED)
        token = printed.set([])
        try:
            with use_messages(Messages(quiet, verbose, progress)):
                _checked(function, options, quiet and verbose)
        finally:
            printed.reset(token)

    parameters = list(inspect.signature(function, eval_str=True).parameters.values())
    for name, (kind, default) in _SHARED.items():
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _checked(function: Callable[..., None], options: dict[str, Any], contradiction: bool) -> None:
    """Run a command; with `--json`, an error that comes before the document becomes one."""
    try:
        if contradiction:
            raise UsageError("--quiet and --verbose exclude each other")
        _check_current_folder()
        function(**options)
    except BrokenPipeError:
        raise typer.Exit(READER_ENDED) from None
    except USER_ERRORS as error:
        reason = user_error(error)
        _print_end(options, str(reason), reason.exit_code)
        say(f"error: {reason}")
        raise typer.Exit(reason.exit_code) from None
    except KeyboardInterrupt:
        acknowledge()
        _print_end(options, "interrupted", interruption_code())
        say("interrupted")
        raise typer.Exit(interruption_code()) from None


def _check_current_folder() -> None:
    """Refuse to work in a folder that was deleted: torch would end the process."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise FacetalkError("the current folder no longer exists; change to another one") from None


def _print_end(options: dict[str, Any], error: str, code: int) -> None:
    """Print an error as JSON where JSON was asked for and nothing of it printed."""
    if printed.get():
        return
    try:
        if options.get("as_json"):
            print_json({"error": error, "exit_code": code})
        elif options.get("json_lines"):
            print_text(json_text({"event": "summary", "error": error, "exit_code": code}))
    except USER_ERRORS:
        return  # stdout is what failed
