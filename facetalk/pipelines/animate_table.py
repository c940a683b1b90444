"""A table of lines -> their animations, each with its own options; only what has changed is made again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facetalk.core.engines import LOCAL, runs_elsewhere
from facetalk.core.errors import USER_ERRORS, UsageError, user_error
from facetalk.core.progress import Progress, no_progress
from facetalk.core.threads import one_torch_thread
from facetalk.exporters.registry import FORMATS, formats_named
from facetalk.io.path_list import as_path, as_paths, is_list
from facetalk.pipelines.animate import AnimateBatch, animate_all, batch_of
from facetalk.pipelines.animate_jobs import AnimateJob, AnimateOptions, sorted_out, spoken_targets
from facetalk.pipelines.animate_work import animate_one
from facetalk.pipelines.animator import Animator, directed, load_animator, with_style
from facetalk.pipelines.batch import (
    Outcome,
    OutputFolder,
    Report,
    check_batch_flags,
    check_output_folder,
    failed,
    jobs_of,
    no_report,
    run_batch,
)
from facetalk.pipelines.line_table import BrokenLine, Line, in_line, read_lines

MOST_LOADED = 4
"""Pairs of head and talker that are held at a time."""


def animate_inputs(
    inputs: Sequence[Path | str],
    options: AnimateOptions | None = None,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    jobs: int | None = None,
    engine: str = LOCAL,
    progress: Progress = no_progress,
    report: Report = no_report,
) -> AnimateBatch:
    """Animate audio files, folders, patterns and lists of them, or the lines of one table, given as `@lines.csv`.

    See `animate_all` and `animate_lines`.

    Raises:
        UsageError: a table is given together with other inputs.
    """
    paths = as_paths(inputs)
    named = [path for path in paths if str(path).startswith("@") and not path.exists()]
    tables = [Path(str(path)[1:]) for path in named if not is_list(path)]
    if not tables:
        return animate_all(
            paths,
            options,
            out=out,
            overwrite=overwrite,
            skip_existing=skip_existing,
            jobs=jobs,
            engine=engine,
            progress=progress,
            report=report,
        )
    if len(paths) > 1:
        raise UsageError(f"give the table @{tables[0]} alone, or audio files without a table")
    if options is not None and (options.spoken is not None or options.transcript is not None):
        raise UsageError(f"texts and transcripts of the table @{tables[0]} are columns of it: text, transcript")
    check_batch_flags(skip_existing, overwrite)
    return animate_lines(
        tables[0], options, out=out, overwrite=overwrite, jobs=jobs, engine=engine, progress=progress, report=report
    )


def animate_lines(
    table_path: Path | str,
    options: AnimateOptions | None = None,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    jobs: int | None = None,
    engine: str = LOCAL,
    progress: Progress = no_progress,
    report: Report = no_report,
) -> AnimateBatch:
    """Animate the lines of a table; one that fails does not stop the others.

    Outputs that exist and were made with the same options from the same inputs are kept.

    Args:
        table_path: CSV file, see `facetalk.pipelines.line_table`.
        options: for what a line leaves open.
        out: folder that gets a folder for each line; the current one if omitted.
        overwrite: make all of them again.
        jobs: see `animate_all`.
        engine: see `animate_all`.
        progress: see `animate`.
        report: called with what became of each line, whose source is `lines.csv:3` for the third line.

    Raises:
        UsageError: the table has an unknown column, or no lines.
        FacetalkError: it cannot be read.
    """
    table = as_path(table_path, "table_path")
    check_output_folder(out)
    jobs = jobs_of(jobs, engine)
    waiting: dict[Path, _LineJob] = {}
    settled: list[Outcome] = []
    for line in read_lines(table, options or AnimateOptions()):
        source = Path(f"{table}:{line.number}")
        if isinstance(line, BrokenLine):
            settled.append(failed(source, line.error))
            continue
        targets = _targets(line, out)
        line = replace(line, speech=targets.get("wav", line.speech))
        made, known = sorted_out({line.speech: targets}, line.options, overwrite, skip_existing=not overwrite)
        settled += [_of_line(outcome, table, line, source) for outcome in known]
        for job in made.values():
            waiting[source] = _LineJob(line, job)
    folder = OutputFolder(Path(out or "."))
    with one_torch_thread(), folder.made(bool(waiting) and runs_elsewhere(engine, jobs)):
        return batch_of(run_batch(_LineWork(table, folder, progress), waiting, settled, report, progress, jobs, engine))


@dataclass(frozen=True)
class _LineJob:
    line: Line
    job: AnimateJob


class _LineWork:
    """Animates one line after the other; a copy in another process has loaded nothing yet."""

    def __init__(self, table: Path, folder: OutputFolder, progress: Progress) -> None:
        self.table, self.folder, self.progress = table, folder, progress
        self.cast = _Cast()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "cast": _Cast(), "progress": no_progress}

    def __call__(self, job: _LineJob) -> Outcome:
        line, timings = job.line, {}
        try:
            animator = self.cast.animator(line.options, timings, self.progress)
            outcome = animate_one(animator, job.job, line.options, self.folder, timings, self.progress)
        except USER_ERRORS as error:
            raise in_line(self.table, line.number, user_error(error)) from None
        return _of_line(outcome, self.table, line, Path(f"{self.table}:{line.number}"))


def _targets(line: Line, out: Path | str | None) -> dict[str, Path]:
    formats = formats_named(line.options.formats)
    if line.options.spoken is not None:
        (targets,) = spoken_targets(line.name, out, formats).values()
        return targets
    folder = Path(out or ".") / line.name
    return {name: folder / f"{line.name}{FORMATS[name].suffix}" for name in formats}


def _of_line(outcome: Outcome, table: Path, line: Line, source: Path) -> Outcome:
    """The outcome of a recording as that of its line."""
    error = None if outcome.error is None else in_line(table, line.number, outcome.error)
    return replace(outcome, source=source, error=error, details={"speech": line.speech, **outcome.details})


class _Cast:
    """Heads, talkers and styles, each loaded once as long as few are in use."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[object, dict[object, Animator]] = OrderedDict()

    def animator(self, options: AnimateOptions, timings: dict[str, float], progress: Progress) -> Animator:
        """Head, talker and style of some options."""
        key = options.head, options.look, options.talker
        styled = self._loaded.setdefault(key, {})
        self._loaded.move_to_end(key)
        while len(self._loaded) > MOST_LOADED:
            self._loaded.popitem(last=False)
        if None not in styled:
            styled[None] = load_animator(options, timings)
        style = None if options.style is None else (str(options.style), options.style_strength)
        if style not in styled:
            styled[style] = with_style(styled[None], options, timings, progress)
        return directed(styled[style], options)
