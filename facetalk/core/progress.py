"""Progress callbacks of long jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Progress = Callable[[str, int, int], None]
"""Called with the name of the current step, how much of it is done, and the total."""

INPUTS = "inputs"
"""The step that counts the finished inputs of a batch, among the steps of each input."""

TrainingProgress = Callable[[int, int, Mapping[str, float]], None]
"""Called with the number of steps done, the total, and the latest mean losses or metrics."""


def no_progress(what: str, done: int, total: int) -> None:
    """Ignore progress."""


def no_training_progress(step: int, total: int, figures: Mapping[str, float]) -> None:
    """Ignore progress."""
