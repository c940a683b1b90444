"""A training run as a page: curves of losses and of figures on validation data, renewed while the run goes on."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path

from facetalk.core.progress import TrainingProgress
from facetalk.core.version import __version__
from facetalk.io.files import replacing
from facetalk.pipelines.reports.charts import polyline
from facetalk.pipelines.reports.html import document

PAGE = "report.html"
EVERY_S = 5.0
"""Seconds between two pages, and after which a browser loads the next one."""

_MOST_POINTS = 600
_LOGARITHMIC = 20.0
"""Ratio of the largest and the smallest value beyond which a curve is drawn on a logarithmic scale."""

Series = Sequence[tuple[int, float]]
"""Steps and values."""


class TrainingPage:
    """Writes the page of a run from its `log.csv`."""

    def __init__(self, run_dir: Path, title: str, losses: Collection[str]) -> None:
        self.path = run_dir / PAGE
        self._log, self._title, self._losses = run_dir / "log.csv", title, losses
        self._written_at, self._seen = -math.inf, 0

    def update(self, step: int, total: int) -> None:
        """Write the page if the log has grown, but not more often than anybody looks."""
        if time.monotonic() - self._written_at < EVERY_S or not self._log.is_file():
            return
        changed = self._log.stat().st_mtime_ns
        if changed != self._seen:
            self._seen = changed
            self.write(step, total, "running")

    def write(self, step: int, total: int, state: str) -> None:
        """Write the page.

        Args:
            step: of the run.
            total: number of steps.
            state: what the run does: `running`, `done` or `ended early`.
        """
        body = training_body(self._title, read_log(self._log), self._losses, step, total, state)
        page = document(self._title, body, "report", refresh_s=round(EVERY_S) if state == "running" else None)
        with replacing(self.path) as temporary:
            temporary.write_text(page, encoding="utf-8", errors="replace")
        self._written_at = time.monotonic()


@contextmanager
def watched(
    run_dir: Path, title: str, losses: Collection[str], progress: TrainingProgress
) -> Iterator[TrainingProgress]:
    """A progress callback for a run in this block that also keeps its page up to date.

    Args:
        run_dir: folder of the run.
        title: of the page.
        losses: names of the columns of `log.csv` that are losses; the others are figures on validation data.
        progress: called as well.
    """
    page, last = TrainingPage(run_dir, title, losses), (0, 0)

    def show(step: int, total: int, figures: Mapping[str, float]) -> None:
        nonlocal last
        last = step, total
        progress(step, total, figures)
        page.update(step, total)

    try:
        yield show
    except BaseException:
        page.write(*last, "ended early")
        raise
    page.write(*last, "done")


def read_log(path: Path) -> Mapping[str, Series]:
    """The columns of a log, without their empty cells."""
    columns: dict[str, list[tuple[int, float]]] = {}
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if name != "step" and value:
                        columns.setdefault(name, []).append((int(row["step"]), float(value)))
    return columns


def training_body(
    title: str, columns: Mapping[str, Series], losses: Collection[str], step: int, total: int, state: str
) -> str:
    """The content of the page; for the arguments see `watched` and `TrainingPage.write`."""
    tiles = {"state": state, "steps": f"{step:,} of {total:,}" if total else f"{step:,}"}
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles.items())
    parts = [f'<header><h1>{escape(title)}</h1><dl class="tiles">{cells}</dl></header>']
    for heading, members in (
        ("Losses", [name for name in columns if name in losses]),
        ("On validation data", [name for name in columns if name not in losses]),
    ):
        if members:
            charts = "".join(_chart(name, columns[name], max(total, step)) for name in members)
            parts.append(f'<section><h2>{heading}</h2><div class="runs">{charts}</div></section>')
    if not columns:
        parts.append("<p>Nothing is logged yet.</p>")
    parts.append(f"<footer>Made by facetalk {__version__} from log.csv.</footer>")
    return "".join(parts)


def _chart(name: str, series: Series, total: int) -> str:
    known = [(step, value) for step, value in series if math.isfinite(value)]
    if not known:
        return f"<figure><figcaption>{escape(name)}: not finite</figcaption></figure>"
    values = [value for _, value in known]
    low, high = min(values), max(values)
    logarithmic = low > 0 and high > _LOGARITHMIC * low
    scale = math.log10 if logarithmic else float
    points = [(step / max(total, 1), scale(value)) for step, value in _thinned(known)]
    if len(points) == 1:  # a line needs two
        points.append((points[0][0] + 0.005, points[0][1]))
    latest = f"{name}: {values[-1]:.4g} at step {known[-1][0]}, {low:.4g} to {high:.4g}"
    note = "logarithmic" if logarithmic else ""
    return (
        f"<figure><figcaption><b>{escape(name)}</b><output>{values[-1]:.4g}</output></figcaption>"
        f'<div class="plot"><small>{high:.3g}</small><small>{low:.3g}</small>'
        f"{polyline(points, scale(low), scale(high), latest)}</div>"
        f'<div class="steps"><small>0</small><small>{note}</small><small>{total:,}</small></div></figure>'
    )


def _thinned(series: Series) -> Series:
    """At most so many points as there is room for: the lowest and the highest of each part, in order."""
    if len(series) <= _MOST_POINTS:
        return series
    kept: list[tuple[int, float]] = []
    num_parts = _MOST_POINTS // 2
    for part in range(num_parts):
        piece = series[len(series) * part // num_parts : len(series) * (part + 1) // num_parts]
        kept += sorted({min(piece, key=lambda point: point[1]), max(piece, key=lambda point: point[1])})
    return kept
