"""Messages and progress on stderr: a bar on a terminal, plain lines elsewhere, or one JSON object per line."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import Any

from facetalk.core.progress import INPUTS
from facetalk.core.text import one_line

PLAIN_EVERY_S = 5.0
"""Seconds between plain lines, so that a short run prints none."""
PLAIN_INPUT_EVERY_S = 1.0
"""The same where an input of a batch is done, so that a short batch, too, says how long it takes."""
JSON_EVERY_S = 0.5


class ProgressMode(str, Enum):
    """How progress is shown."""

    auto = "auto"
    bar = "bar"
    plain = "plain"
    json = "json"
    none = "none"


@dataclass(frozen=True)
class Messages:
    """What a run says on stderr."""

    quiet: bool = False
    verbose: bool = False
    progress: ProgressMode = ProgressMode.auto

    @property
    def mode(self) -> ProgressMode:
        """The way that `auto` stands for."""
        if self.progress is not ProgressMode.auto:
            return self.progress
        if self.quiet:
            return ProgressMode.none
        return ProgressMode.bar if sys.stderr.isatty() else ProgressMode.plain


_current: ContextVar[Messages] = ContextVar("messages")


def messages() -> Messages:
    """What the current command says."""
    return _current.get(Messages())


@contextmanager
def use_messages(chosen: Messages) -> Iterator[None]:
    """Apply the options of a command to everything that it says."""
    token = _current.set(chosen)
    handler, logger = _Handler(), logging.getLogger("facetalk")
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR if chosen.quiet else logging.INFO if chosen.verbose else logging.WARNING)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        _current.reset(token)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {record.getMessage()}")


def note(text: str) -> None:
    """A message that `--quiet` suppresses."""
    if not messages().quiet:
        say(text)


def say(text: str) -> None:
    """A message of one line on stderr."""
    text = one_line(text)
    line = json.dumps({"message": text}) if messages().mode is ProgressMode.json else text
    print(line, file=sys.stderr, flush=True)


class ProgressDisplay:
    """Shows the steps of an input, how many inputs are done, and the time left."""

    def __init__(self) -> None:
        self._inputs: tuple[int, int] | None = None
        self._known = 0
        """Inputs that were done from the beginning, such as those that are skipped."""
        self._step, self._step_start, self._first = "", time.monotonic(), 0
        self._start = self._shown = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Take note of progress, see `facetalk.core.progress`."""
        if what == INPUTS:
            if self._inputs is None:  # before that, networks were loaded, which takes the same time for any batch
                self._start = self._shown = time.monotonic()
                self._known = done
            self._inputs = done, total
            self._show("", 0, 0, {}, due=True)
            return
        self._begin(what, done)
        self._show(what, done, total, {}, due=done >= total)

    def training(self, step: int, total: int, figures: Mapping[str, float]) -> None:
        """Take note of the progress of training, see `TrainingProgress`."""
        self._begin("training", step)
        self._show("training", step, total, figures, due=step >= total)

    def _begin(self, what: str, done: int) -> None:
        """Note when a step was first heard of, and where it was: a resumed run does not start at zero."""
        if what != self._step:
            self._step, self._step_start, self._first = what, time.monotonic(), done

    def seconds_left(self, done: int, total: int) -> float | None:
        """Estimate from the inputs of a batch, or from the current step of a single input."""
        now = time.monotonic()
        if self._inputs is not None and self._inputs[1] > 1:
            finished, inputs = self._inputs
            since = finished - self._known
            return (now - self._start) / since * (inputs - finished) if since > 0 else None
        since = done - self._first
        return (now - self._step_start) / since * (total - done) if since > 0 and total else None

    def _show(self, what: str, done: int, total: int, figures: Mapping[str, float], due: bool) -> None:
        """Print what is known; `due` where the step ends with it."""

    def close(self) -> None:
        """End the display."""

    def _is_time(self, every_s: float) -> bool:
        now = time.monotonic()
        if now - self._shown < every_s:
            return False
        self._shown = now
        return True


class PlainProgress(ProgressDisplay):
    """A line every few seconds."""

    def _show(self, what: str, done: int, total: int, figures: Mapping[str, float], due: bool) -> None:
        line = self.line(what, done, total, figures)
        left = self.seconds_left(done, total)
        if line and self._is_time(PLAIN_EVERY_S if what or not left else PLAIN_INPUT_EVERY_S):
            print(one_line(line), file=sys.stderr, flush=True)

    def line(self, what: str, done: int, total: int, figures: Mapping[str, float]) -> str:
        """Inputs, step, figures and time left, as far as they are known."""
        parts = []
        if self._inputs is not None and self._inputs[1] > 1:
            parts.append(f"{self._inputs[0]} of {self._inputs[1]}")
        if what == "training":
            parts.append(f"step {done} of {total}")
        elif what:
            parts.append(f"{what} {100 * done // max(1, total)}%")
        parts += [f"{name} {value:.4g}" for name, value in figures.items()]
        left = self.seconds_left(done, total)
        if left is not None:
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)


class JsonProgress(ProgressDisplay):
    """JSON objects, one per line."""

    def _show(self, what: str, done: int, total: int, figures: Mapping[str, float], due: bool) -> None:
        if not due and not self._is_time(JSON_EVERY_S):
            return
        values: dict[str, Any] = {"step": what, "done": done, "total": total} if what else {}
        if self._inputs is not None:
            values |= {"inputs_done": self._inputs[0], "inputs": self._inputs[1]}
        if figures:
            values["losses"] = dict(figures)
        left = self.seconds_left(done, total)
        values["seconds_left"] = None if left is None else round(left, 1)
        print(json.dumps(values), file=sys.stderr, flush=True)


class BarProgress(ProgressDisplay):
    """Bars on a terminal: one for the inputs of a batch, one for the current step."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[state]}"))
        # What is printed on the same terminal goes above the bars; what goes to a file or a pipe must not.
        self._bars = Progress(
            *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
        )
        self._bars.start()
        self._tasks: dict[str, Any] = {}

    def _show(self, what: str, done: int, total: int, figures: Mapping[str, float], due: bool) -> None:
        left = self.seconds_left(done, total)
        ending = "" if left is None else f"{duration(left)} left"
        if self._inputs is not None and self._inputs[1] > 1:
            finished, inputs = self._inputs
            self._bar("inputs", "all", finished, inputs, f"{finished} of {inputs}  {ending}")
            ending = ""
        if not what:
            return
        state = f"step {done} of {total}" if what == "training" else f"{100 * done // max(1, total)}%"
        losses = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self._bar("step", one_line(what), done, total, "  ".join(part for part in (state, ending, losses) if part))

    def _bar(self, place: str, title: str, done: int, total: int, state: str) -> None:
        if place not in self._tasks:
            self._tasks[place] = self._bars.add_task(title, state=state)
        self._bars.update(self._tasks[place], description=title, completed=done, total=total, state=state)

    def close(self) -> None:
        """Remove the bars."""
        self._bars.stop()


_DISPLAYS = {
    ProgressMode.bar: BarProgress,
    ProgressMode.plain: PlainProgress,
    ProgressMode.json: JsonProgress,
    ProgressMode.none: ProgressDisplay,
}


@contextmanager
def progress_display() -> Iterator[ProgressDisplay]:
    """Callbacks for a pipeline, which show progress as the options say."""
    display = _DISPLAYS[messages().mode]()
    try:
        yield display
    finally:
        display.close()


def duration(seconds: float) -> str:
    """`40 s`, `12 min` or `3 h 20 min`."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
