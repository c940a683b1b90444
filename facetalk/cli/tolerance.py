"""Differences within limits: the exit code of commands with `--tolerance`."""

from __future__ import annotations

import typer


def leave_if_beyond(is_asked: bool, is_within: bool) -> None:
    """End with exit code 1 if a tolerance was asked for and is exceeded."""
    if is_asked and not is_within:
        raise typer.Exit(1)
