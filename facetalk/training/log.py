"""The log of a run: rows in `log.csv`, final metrics in `metrics.json`, and a progress callback."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facetalk.core.progress import TrainingProgress, no_training_progress
from facetalk.io.files import replacing


class TrainingLog:
    """Mean loss terms of each interval, written to a CSV file and passed to a callback."""

    def __init__(
        self, run_dir: Path, num_steps: int, start: int, every: int, progress: TrainingProgress = no_training_progress
    ) -> None:
        self.path = run_dir / "log.csv"
        self.every = every
        self._sums: dict[str, float] = defaultdict(float)
        self._count = 0
        self._rows = [row for row in _read_rows(self.path) if int(row["step"]) <= start] if start else []
        self._num_steps, self._progress = num_steps, progress
        self._latest: dict[str, float] = {}

    def step(self, step: int, terms: Mapping[str, float]) -> None:
        """Add the loss terms of one step; `step` counts from one."""
        for name, value in terms.items():
            self._sums[name] += value
        self._count += 1
        if step % self.every == 0:
            means = {name: value / self._count for name, value in self._sums.items()}
            self.row(step, means)
            self._sums.clear()
            self._count = 0
        self._progress(step, self._num_steps, self._latest)

    def row(self, step: int, values: Mapping[str, float]) -> None:
        """Write one row; another row of the same step adds its columns to it."""
        if self._rows and int(self._rows[-1]["step"]) == step:
            self._rows[-1] |= {name: f"{value:.6g}" for name, value in values.items()}
        else:
            self._rows.append({"step": str(step)} | {name: f"{value:.6g}" for name, value in values.items()})
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        with replacing(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(self._rows)
        self._latest |= values


def write_metrics(run_dir: Path, metrics: Mapping[str, Any]) -> None:
    """Write the metrics of a finished run."""
    with replacing(run_dir / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def _read_rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]
