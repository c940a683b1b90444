"""`facetalk fit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facetalk.cli.curation import (
    CurateFlag,
    FixSyncFlag,
    LaughTimes,
    ReportFlag,
    RuleChanges,
    curation_document,
    print_curation,
)
from facetalk.cli.output import HeadName, JsonFlag, OverwriteFlag, SkipFlag, print_failures, print_json, progress_bar
from facetalk.fitters.registry import METHODS

if TYPE_CHECKING:
    from facetalk.pipelines.fit import FitSummary
    from facetalk.pipelines.fit_command import ClipFit, FitOutcome, FitRequest


def fit(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Videos of one face, or folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="For one video a .npz file; else a folder.  [default: VIDEO.npz or fits]"),
    ] = None,
    head: HeadName = "facetalk",
    method: Annotated[
        str,
        typer.Option("--method", help=". ".join(f"{name}: {entry.summary}" for name, entry in METHODS.items()) + "."),
    ] = "landmarks",
    refine: Annotated[
        bool,
        typer.Option(
            "--refine",
            help="With spectre: train the networks on each video first; reduces the error by a fifth, and takes eight "
            "seconds of one core for each second of video.",
        ),
    ] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Also write a video: original, head over it, curves.")
    ] = False,
    face: Annotated[
        int | None,
        typer.Option("--face", min=1, help="Which of several people, counted from the left.  [default: the main one]"),
    ] = None,
    about: Annotated[
        Path | None, typer.Option("--about", metavar="CSV", help="Speakers and labels for the manifest of the dataset.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Videos at the same time.  [default: one per core]")
    ] = None,
    curate: CurateFlag = False,
    rules: RuleChanges = None,
    fix_sync: FixSyncFlag = False,
    laughs: LaughTimes = None,
    report: ReportFlag = False,
    overwrite: OverwriteFlag = False,
    skip_existing: SkipFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Turn videos of a face into motion files.

    Several videos become a dataset folder: a motion and an audio file for each, manifest.csv, and rejected.csv with the
    reason for each that failed. With --curate the folder holds the clips of the videos that are worth training on, and
    rejected.csv the reason for every other second.
    """
    from facetalk.pipelines.fit_command import FitRequest, run_fit

    request = FitRequest(
        videos=videos,
        out=out,
        head=head,
        method=method,
        refine=refine,
        face=face,
        preview=preview,
        report=report,
        about=about,
        jobs=jobs,
        curate=curate,
        rules=rules or (),
        fix_sync=fix_sync,
        laughs=laughs,
        overwrite=overwrite,
        skip_existing=skip_existing,
    )
    with progress_bar(as_json) as show:
        outcome = run_fit(request, show)
    _print_outcome(outcome, request, as_json)


def _print_outcome(outcome: FitOutcome, request: FitRequest, as_json: bool) -> None:
    """Print what was made, and end with code 1 if a video failed."""
    from facetalk.pipelines.curate import CurationSummary
    from facetalk.pipelines.fit import FitSummary

    if outcome.report is not None:
        typer.echo(f"report: {outcome.report}", err=True)
    result = outcome.result
    if isinstance(result, CurationSummary | FitSummary) and result.num_described is not None:
        typer.echo(f"speakers and labels of {result.num_described} videos come from {request.about}", err=True)
    if isinstance(result, CurationSummary):
        print_json(curation_document(result)) if as_json else print_curation(result, request.out_dir)
    elif isinstance(result, FitSummary):
        _print_dataset(result, as_json)
    else:
        _print_clip(result, as_json)
        return
    print_failures(result.failed)
    if result.failed:
        raise typer.Exit(1)


def _print_dataset(summary: FitSummary, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "written": summary.written,
                "skipped": summary.skipped,
                "failed": summary.failed,
                "num_described": summary.num_described,
            }
        )
        return
    typer.echo("\n".join(map(str, summary.written)))
    if summary.skipped:
        typer.echo(f"{len(summary.skipped)} skipped", err=True)


def _print_clip(clip: ClipFit, as_json: bool) -> None:
    if clip.motion is None:
        typer.echo(f"{clip.motion_path} exists already", err=True)
    elif "refined" in clip.motion.meta:
        before, after = clip.motion.meta["refined"]["before"], clip.motion.meta["refined"]["after"]
        typer.echo(
            f"landmark error {before['landmark_error']:.4f} -> {after['landmark_error']:.4f} interocular units, "
            f"motion stability {before['stability']:.3f} -> {after['stability']:.3f} s2/m",
            err=True,
        )
    if (others := clip.chosen_among()) is not None:
        typer.echo(others, err=True)
    if as_json:
        print_json(clip.document())
    elif clip.motion is not None:
        typer.echo(clip.motion_path)
