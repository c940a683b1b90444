"""Files that `evaluate` writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.io.files import replacing
from facetalk.pipelines.evaluation.results import csv_text
from facetalk.pipelines.reports.evaluation_report import evaluation_page

if TYPE_CHECKING:
    from facetalk.pipelines.evaluate import Evaluation


def check_outputs(csv: Path | None, html: Path | None, overwrite: bool) -> None:
    """Refuse names of other formats and, unless they may be replaced, existing files."""
    for path, suffix in ((csv, ".csv"), (html, ".html")):
        if path is None:
            continue
        if path.suffix.lower() != suffix:
            raise UsageError(
                f"--{suffix[1:]} writes {suffix} files, not {path.name}; give {path.stem or 'name'}{suffix}"
            )
        if path.exists() and not overwrite:
            raise FacetalkError(f"{path} exists already; choose another name or --overwrite")


def write_outputs(result: Evaluation, csv: Path | None, html: Path | None) -> None:
    """Write what was asked for."""
    for path, text in ((csv, csv_text), (html, evaluation_page)):
        if path is not None:
            with replacing(path) as temporary:
                temporary.write_text(text(result.systems), encoding="utf-8", errors="replace")
