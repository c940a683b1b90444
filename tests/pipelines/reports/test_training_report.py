"""A run can be watched: its page follows the log and says how it ended."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from facetalk.pipelines.reports import training_report
from facetalk.pipelines.reports.training_report import read_log, training_body, watched
from facetalk.training.log import TrainingLog

LOSSES = ("mouth", "total")


def train(run_dir: Path, steps: int, fail_at: int | None = None) -> list[str]:
    """A run whose loss halves every step; returns the page after each of them."""
    pages: list[str] = []

    def progress(step: int, total: int, figures: Mapping[str, float]) -> None:
        pages.append((run_dir / "report.html").read_text() if (run_dir / "report.html").is_file() else "")

    with watched(run_dir, "Training of <a>", LOSSES, progress) as show:
        log = TrainingLog(run_dir, steps, 0, 2, show)
        for step in range(1, steps + 1):
            if step == fail_at:
                raise RuntimeError("out of luck")
            log.step(step, {"mouth": 0.5**step, "total": 3.0})
            if step == 3:
                log.row(step, {"lip_mm": 1.25})
    return pages


def test_the_page_follows_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_report, "EVERY_S", 0.0)
    pages = train(tmp_path, 12)
    assert pages[0] == pages[1] == ""  # nothing was logged yet
    assert "2 of 12" in pages[2] and "lip_mm" not in pages[3]
    assert "4 of 12" in pages[4] and 'http-equiv="refresh"' in pages[4] and "running" in pages[4]
    last = (tmp_path / "report.html").read_text()
    assert "12 of 12" in last and "<dd>done</dd>" in last and "refresh" not in last
    assert "<h1>Training of &lt;a&gt;</h1>" in last
    losses, validation = last.split("On validation data")
    assert losses.count("<figure>") == 2 and validation.count("<figure>") == 1
    assert "logarithmic" in losses and "lip_mm: 1.25 at step 3" in validation


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of luck"):
        train(tmp_path, 12, fail_at=7)
    assert "<dd>ended early</dd>" in (tmp_path / "report.html").read_text()
    assert "6 of 12" in (tmp_path / "report.html").read_text()


def test_the_page_is_written_only_every_few_seconds(tmp_path: Path) -> None:
    pages = train(tmp_path, 12)
    assert len({page for page in pages if page}) == 1


def test_curves_lie_where_their_steps_are(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, 100, 0, 10)
    for step, value in ((10, 1.0), (20, 3.0), (100, 2.0)):
        log.row(step, {"a": value})
    log.row(50, {"b": math.nan})
    columns = read_log(tmp_path / "log.csv")
    assert [step for step, _ in columns["a"]] == [10, 20, 100]
    body = training_body("t", columns, ("a",), 100, 100, "done")
    (points,) = re.findall(r'<polyline points="([^"]*)"', body)
    assert points == "60.0,39.0 120.0,1.0 600.0,20.0"
    assert "b: not finite" in body


def test_long_logs_keep_their_peaks() -> None:
    series = [(step, 1.0) for step in range(20_000)]
    series[777] = (777, 9.0)
    kept = training_report._thinned(series)
    assert (777, 9.0) in kept and len(kept) <= 600
    assert kept == sorted(kept)
