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
    curation_figures,
    print_curation,
)
from facetalk.cli.options import EngineOption, HeadName, JsonFlag, JsonLinesFlag, OverwriteFlag, SkipFlag, input_path
from facetalk.cli.output import print_path
from facetalk.cli.progress import messages, note, progress_display
from facetalk.cli.report import BatchReport, batch_report
from facetalk.fitters.registry import METHODS

if TYPE_CHECKING:
    from facetalk.pipelines.batch import Outcome
    from facetalk.pipelines.fit_command import FitOutcome, FitRequest


def fit(
    videos: Annotated[
        list[Path],
        typer.Argument(
            metavar="VIDEO", parser=input_path, help="Videos of one face, folders or 'patterns*' of them, or @list.txt."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="A .npz file for one video, or the folder of a dataset.  [default: VIDEO.npz or fits]"
        ),
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
    engine: EngineOption = "local",
    curate: CurateFlag = False,
    rules: RuleChanges = None,
    fix_sync: FixSyncFlag = False,
    laughs: LaughTimes = None,
    report: ReportFlag = False,
    overwrite: OverwriteFlag = False,
    skip_existing: SkipFlag = False,
    as_json: JsonFlag = False,
    json_lines: JsonLinesFlag = False,
) -> None:
    """Turn videos of a face into motion files.

    Several videos become a dataset folder: a motion and an audio file for each, manifest.csv, and rejected.csv with the
    reason for each that failed. With --curate the folder holds the clips of the videos that are worth training on, and
    rejected.csv the reason for every other second.
    """
    with batch_report("fit", as_json, json_lines) as results, progress_display() as show:
        from facetalk.io.path_list import listed
        from facetalk.pipelines.fit_command import FitRequest, run_fit

        request = FitRequest(
            videos=listed(videos),
            out=out,
            head=head,
            method=method,
            refine=refine,
            face=face,
            preview=preview,
            report=report,
            about=about,
            jobs=jobs,
            engine=engine,
            curate=curate,
            rules=rules or (),
            fix_sync=fix_sync,
            laughs=laughs,
            overwrite=overwrite,
            skip_existing=skip_existing,
        )
        if request.is_single:
            results.print_done = _print_clip
        else:
            results.extra["dataset"] = request.out_dir
        outcome = run_fit(request, show, results.add)
        _add_result(outcome, request, results)


def _add_result(outcome: FitOutcome, request: FitRequest, results: BatchReport) -> None:
    """Add what concerns the dataset as a whole."""
    from facetalk.pipelines.curate import CurationSummary
    from facetalk.pipelines.fit import FitSummary

    if outcome.report is not None:
        results.extra["report"] = outcome.report
        note(f"report: {outcome.report}")
    result = outcome.result
    if isinstance(result, CurationSummary | FitSummary) and result.num_described is not None:
        results.extra["num_described"] = result.num_described
        note(f"videos whose speaker and label come from {request.about}: {result.num_described}")
    if isinstance(result, CurationSummary):
        results.extra.update(curation_figures(result))
        if not messages().quiet:
            print_curation(result)


def _print_clip(outcome: Outcome) -> None:
    refined = outcome.details.get("refined")
    if refined:
        before, after = refined["before"], refined["after"]
        note(
            f"landmark error {before['landmark_error']:.4f} -> {after['landmark_error']:.4f} interocular units, "
            f"motion stability {before['stability']:.3f} -> {after['stability']:.3f} s2/m"
        )
    from facetalk.pipelines.fit_command import chosen_among

    if (others := chosen_among(outcome)) is not None:
        note(others)
    print_path(outcome.files["npz"])
