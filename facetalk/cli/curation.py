"""`facetalk fit --curate`: options, and what is printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facetalk.core.text import one_line
from facetalk.data.curation.settings import CurationRules

if TYPE_CHECKING:
    from rich.table import Table

    from facetalk.pipelines.curate import CurationSummary


def _defaults(rules: Any, prefix: str = "") -> Iterator[str]:
    for field in dataclasses.fields(rules):
        value = getattr(rules, field.name)
        if dataclasses.is_dataclass(value):
            yield from _defaults(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}={value}"


CurateFlag = Annotated[
    bool, typer.Option("--curate", help="Cut the videos into clips worth training on; --set changes the rules.")
]
RuleChanges = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="RULE=VALUE",
        help="With --curate: change a rule; may be repeated. Rules and defaults: "
        + ", ".join(_defaults(CurationRules())),
        show_default=False,
    ),
]
LaughTimes = Annotated[
    Path | None,
    typer.Option(
        "--laughs",
        metavar="CSV",
        help="With --curate: where people laugh (path,start_s,end_s), instead of the detector.",
    ),
]
FixSyncFlag = Annotated[
    bool,
    typer.Option("--fix-sync", help="With --curate: shift the audio where it is early or late against the mouth."),
]
ReportFlag = Annotated[
    bool,
    typer.Option("--report", help="Also write an HTML report: errors, curves, frames, and what was rejected and why."),
]


def curation_figures(summary: CurationSummary) -> dict[str, object]:
    """What the document of `--json` says about the whole dataset."""
    return {
        "clips": summary.clips,
        "rejected": summary.rejected,
        "seconds": sum(summary.durations_s.values()),
        "kept_s": summary.kept_s,
        "rejected_s": summary.seconds_by_reason(),
    }


def print_curation(summary: CurationSummary) -> None:
    """Print tables of the videos and of the reasons on stderr."""
    from rich.console import Console

    console = Console(stderr=True)
    console.print(_video_table(summary))
    reasons = _reason_table(summary)
    if reasons.row_count:
        console.print(reasons)


def _video_table(summary: CurationSummary) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("video", title="curated", title_justify="left")
    for column in ("length", "clips", "kept", "laughing"):
        table.add_column(column, justify="right")
    for source, duration_s in summary.durations_s.items():
        clips = [row for row in summary.clips if row["source"] == source]
        kept_s = sum(row["duration_s"] for row in clips)
        laughing_s = sum(row["laughter_s"] for row in clips)
        table.add_row(
            Text(one_line(source)), f"{duration_s:.1f} s", str(len(clips)), f"{kept_s:.1f} s", f"{laughing_s:.1f} s"
        )
    total_s = sum(summary.durations_s.values())
    table.add_section()
    table.add_row("all", f"{total_s:.1f} s", str(len(summary.clips)), f"{summary.kept_s:.1f} s", "")
    return table


def _reason_table(summary: CurationSummary) -> Table:
    from rich.table import Table

    table = Table("rejected because", title="rejected.csv", title_justify="left")
    for column in ("spans", "seconds"):
        table.add_column(column, justify="right")
    for reason, seconds in summary.seconds_by_reason().items():
        spans = sum(row["reason"] == reason for row in summary.rejected)
        table.add_row(reason, str(spans), f"{seconds:.1f}")
    return table
