"""The results of a batch: printed as they come, as one JSON document, or as one JSON object per line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any

import typer

from facetalk.cli.output import json_text, print_failures, print_json, print_path, print_text, printed
from facetalk.cli.progress import messages, note, say
from facetalk.core.errors import USER_ERRORS, FacetalkError, UsageError, user_error
from facetalk.core.interruption import acknowledge, before_leaving, interruption_code

if TYPE_CHECKING:
    from facetalk.pipelines.batch import Outcome


class BatchReport:
    """Collects outcomes and prints them."""

    def __init__(self, command: str, as_json: bool, json_lines: bool) -> None:
        self.command, self.as_json, self.json_lines = command, as_json, json_lines
        self.extra: dict[str, Any] = {}
        """Further entries of the document or of the summary."""
        self.print_done: Callable[[Outcome], None] = _print_files
        self._done: list[dict[str, Any]] = []
        self._skipped: list[str] = []
        self._failed: dict[str, FacetalkError] = {}
        self._places: dict[str, int] = {}
        self._lock, self._is_closed = RLock(), False

    def add(self, outcome: Outcome) -> None:
        """Take note of what became of an input, and print it unless there will be one document."""
        source = str(outcome.source)
        with self._lock:
            self._places[source] = outcome.place
            if outcome.error is not None:
                self._failed[source] = outcome.error
            elif outcome.state == "skipped":
                self._skipped.append(source)
            else:
                self._done.append(_document(outcome))
            if outcome.redone:
                note(f"{source}: made again: {outcome.redone}")
            if self.json_lines:
                print_text(json_text({"event": outcome.state, **_document(outcome)}))
            elif not self.as_json and outcome.state == "done":
                self.print_done(outcome)
            if outcome.state == "skipped" and not self.json_lines and not self.as_json:
                note(f"{source}: exists already")
            _print_timings(outcome)

    @property
    def exit_code(self) -> int:
        """Code for the failures so far."""
        from facetalk.pipelines.batch import exit_code

        return exit_code(list(self._failed.values()))

    @property
    def num_inputs(self) -> int:
        """Inputs that are dealt with."""
        return len(self._done) + len(self._skipped) + len(self._failed)

    def close(self, status: str, code: int, error: str | None) -> None:
        """Print the document or the summary, and the table of failures; once."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            end = {"command": self.command, "status": status, "exit_code": code, "error": error}
            failed = {source: str(self._failed[source]) for source in self._in_order(self._failed)}
            if self.as_json:
                done = sorted(self._done, key=lambda document: self._places[str(document["input"])])
                skipped = self._in_order(self._skipped)
                print_json(end | self.extra | {"done": done, "skipped": skipped, "failed": failed})
            elif self.json_lines:
                counts = {"done": len(self._done), "skipped": len(self._skipped), "failed": len(failed)}
                print_text(json_text({"event": "summary", **end, **self.extra, **counts}))
                printed.get([]).append("summary")
            if not (self.num_inputs == 1 and failed):
                print_failures(failed)

    def _in_order(self, sources: Iterable[str]) -> list[str]:
        """Inputs as they were given, not as they were finished."""
        return sorted(sources, key=self._places.__getitem__)

    @property
    def only_failure(self) -> FacetalkError | None:
        """The error of an input that is the only one."""
        return next(iter(self._failed.values())) if self.num_inputs == len(self._failed) == 1 else None


@contextmanager
def batch_report(command: str, as_json: bool, json_lines: bool) -> Iterator[BatchReport]:
    """A report that is closed with the block, however that ends; inputs that failed decide the exit code."""
    report = BatchReport(command, as_json, json_lines)

    def close_early() -> None:
        report.close("interrupted", interruption_code(), "interrupted")

    def leave_early() -> None:
        acknowledge()
        close_early()

    before_leaving(leave_early)
    try:
        if as_json and json_lines:
            raise UsageError("--json and --json-lines exclude each other")
        yield report
    except BrokenPipeError:
        raise
    except USER_ERRORS as error:
        reason = user_error(error)
        report.close("failed", reason.exit_code, str(reason))
        raise reason from None
    except KeyboardInterrupt:
        close_early()
        raise
    code = report.exit_code
    report.close("failed" if code else "done", code, None)
    if report.only_failure is not None:
        say(f"error: {report.only_failure}")
    if code:
        raise typer.Exit(code)


def _document(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON."""
    values: dict[str, Any] = {"input": outcome.source}
    if outcome.error is not None:
        return values | {"error": str(outcome.error), "exit_code": outcome.error.exit_code}
    values["files"] = dict(outcome.files)
    if outcome.redone:
        values["redone"] = outcome.redone
    return values | dict(outcome.details)


def _print_files(outcome: Outcome) -> None:
    for path in outcome.files.values():
        print_path(path)


def _print_timings(outcome: Outcome) -> None:
    timings: Mapping[str, float] = outcome.details.get("timings_s", {})
    if messages().verbose and timings:
        steps = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in timings.items())
        note(f"{outcome.source}: {steps}")
