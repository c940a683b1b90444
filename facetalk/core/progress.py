"""Progress callbacks of long jobs."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of the current step, how much of it is done, and the total."""


def no_progress(what: str, done: int, total: int) -> None:
    """Ignore progress."""
