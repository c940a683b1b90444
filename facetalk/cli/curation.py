"""`facetalk fit --curate`: options, and what is printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facetalk.cli.output import print_failures, print_json, progress_bar
from facetalk.data.curation.settings import CurationRules

if TYPE_CHECKING:
    from facetalk.pipelines.curate import CurationSummary


def _defaults(rules: Any, prefix: str = "") -> Iterator[str]:
    for field in dataclasses.fields(rules):
        value = getattr(rules, field.name)
        if dataclasses.is_dataclass(value):
            yield from _defaults(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}={value}"


CurateFlag = Annotated[
    bool, typer.Option("--curate", help="Cut the videos into clips worth learning from: see --set for the rules.")
]
RuleChanges = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="RULE=VALUE",
        help="With --curate: change a rule, as often as needed. Rules and defaults: "
        + ", ".join(_defaults(CurationRules())),
        show_default=False,
    ),
]
LaughTimes = Annotated[
    Path | None,
    typer.Option(
        "--laughs",
        metavar="CSV",
        help="With --curate: where people laugh (path,start_s,end_s), in place of the detector.",
    ),
]
ReportFlag = Annotated[
    bool, typer.Option("--report", help="Also write report.html: errors, curves, pictures, what was left out and why.")
]


def curate(
    videos: Sequence[Path],
    out_dir: Path,
    changes: Sequence[str],
    as_json: bool,
    report: bool,
    **options: Any,
) -> None:
    """Curate, print what came of it, and end with code 1 if a video failed."""
    if out_dir.suffix == ".npz":
        raise typer.BadParameter(f"{out_dir} is one file, but --curate makes a dataset: give a folder")
    from facetalk.core.config import build, override
    from facetalk.pipelines.curate import curate_videos

    rules = build(CurationRules, override({}, changes))

    with progress_bar(as_json) as show:
        summary = curate_videos(videos, out_dir, rules=rules, progress=show, **options)
    if report:
        report_on(out_dir, options["head"], as_json)
    if as_json:
        print_json(
            {
                "clips": summary.clips,
                "rejected": summary.rejected,
                "skipped": summary.skipped,
                "failed": summary.failed,
                "seconds": sum(summary.durations_s.values()),
                "kept_s": summary.kept_s,
                "rejected_s": summary.seconds_by_reason(),
            }
        )
    else:
        typer.echo("\n".join(str(out_dir / f"{row['name']}.npz") for row in summary.clips))
        print_summary(summary)
    print_failures(summary.failed)
    if summary.failed:
        raise typer.Exit(1)


def report_on(out_dir: Path, head: str, as_json: bool) -> None:
    """Write the dataset's `report.html`."""
    from facetalk.pipelines.reports.fit_report import write_report

    with progress_bar(as_json) as show:
        path = write_report(out_dir, head=head, progress=show)
    typer.echo(f"report: {path}", err=True)


def report_on_clip(motion_path: Path, head: str) -> None:
    """Write the report of one motion file beside it."""
    from facetalk.pipelines.reports.fit_report import write_clip_report

    typer.echo(f"report: {write_clip_report(motion_path, head=head)}", err=True)


def print_summary(summary: CurationSummary) -> None:
    """A table of the videos and one of the reasons, on stderr."""
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    videos = Table("video", title="curated", title_justify="left")
    for column in ("length", "clips", "kept", "laughing"):
        videos.add_column(column, justify="right")
    for source, duration_s in summary.durations_s.items():
        clips = [row for row in summary.clips if row["source"] == source]
        kept_s = sum(row["duration_s"] for row in clips)
        laughing_s = sum(row["laughter_s"] for row in clips)
        videos.add_row(source, f"{duration_s:.1f} s", str(len(clips)), f"{kept_s:.1f} s", f"{laughing_s:.1f} s")
    total_s = sum(summary.durations_s.values())
    videos.add_section()
    videos.add_row("all", f"{total_s:.1f} s", str(len(summary.clips)), f"{summary.kept_s:.1f} s", "")
    console.print(videos)
    reasons = Table("left out because", title="rejected.csv", title_justify="left")
    for column in ("spans", "seconds"):
        reasons.add_column(column, justify="right")
    for reason, seconds in summary.seconds_by_reason().items():
        spans = sum(row["reason"] == reason for row in summary.rejected)
        reasons.add_row(reason, str(spans), f"{seconds:.1f}")
    if reasons.row_count:
        console.print(reasons)
