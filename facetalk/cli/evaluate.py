"""`facetalk evaluate`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facetalk.cli.options import EngineOption, HeadName, JobsOption, JsonFlag, OverwriteFlag
from facetalk.cli.output import print_failures, print_json, print_table
from facetalk.cli.progress import note, progress_display
from facetalk.cli.tolerance import leave_if_beyond

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from facetalk.pipelines.evaluate import Evaluation

MOST_CLIP_COLUMNS = 4
"""With more clips, the table shows only their means."""


def evaluate(
    predicted: Annotated[
        Path,
        typer.Argument(
            metavar="PRED",
            help="Motion, vertices (.npy, .npz, folder of OBJ or PLY) or video; or a folder, 'pattern*' or @list.txt.",
        ),
    ],
    reference: Annotated[Path, typer.Argument(metavar="REF", help="What to compare with; several are paired by name.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            help="lve, lve-sq, mve, fve, eve, fdd, fdd-abs, mod, m-lmd, f-lmd (the default); ssim, psnr, cpbd, "
            "flicker, sync, lip-closure, beat, blink, pose, jitter, emotion-distance, lip-reading, diversity; all for "
            "what the clips allow. May be repeated.",
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", metavar="DIR", help="Further predictions for REF, to compare systems. May be repeated."
        ),
    ] = None,
    baseline: Annotated[
        str,
        typer.Option(
            "--baseline",
            metavar="LIST",
            help="Figures of a face that does not move (still), and of the prediction for another clip (shuffled).",
        ),
    ] = "",
    audio: Annotated[
        Path | None, typer.Option("--audio", metavar="FILE|DIR", help="The speech, where it is not beside the clips.")
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option("--regions", metavar="FILE", help="Vertices of lips, upper face, ... of another mesh."),
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option("--template", metavar="FILE", help="Face at rest of another mesh, or of each speaker."),
    ] = None,
    fps: Annotated[
        float | None, typer.Option("--fps", metavar="RATE", help="Frame rate of vertices that do not state one.")
    ] = None,
    head: HeadName = "facetalk",
    sync_critic: Annotated[
        str, typer.Option("--sync-critic", metavar="DIR", help="Network of the metric sync, see `facetalk train`.")
    ] = "sync-critic",
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            "--tolerance",
            metavar="FIGURE=LIMIT",
            help="Exit with 1 if the mean of a figure is larger, or smaller where more is better. May be repeated.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the bootstrap of the confidence intervals.")] = 0,
    jobs: JobsOption = None,
    engine: EngineOption = "local",
    as_json: JsonFlag = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the figures of each clip as a table.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report with the course of each figure.")
    ] = None,
    overwrite: OverwriteFlag = False,
) -> None:
    """Compare predicted motion, meshes or videos with a reference.

    Distances of vertices and landmarks are in millimeters, of landmarks in videos in interocular distances (iod). The
    motion of the head as a whole is removed first. docs/metrics.md defines every figure.
    """
    from facetalk.metrics.registry import chosen_metrics
    from facetalk.pipelines import evaluate as pipeline
    from facetalk.pipelines.evaluation.results import beyond, read_limits
    from facetalk.pipelines.evaluation_files import check_outputs, write_outputs

    limits = read_limits(tolerance or [], chosen_metrics(metric or ()))
    check_outputs(csv, html, overwrite)
    with progress_display() as show:
        result = pipeline.evaluate(
            predicted,
            reference,
            metrics=metric or (),
            head=head,
            against=against or (),
            baselines=[name.strip() for name in baseline.split(",") if name.strip()],
            audio=audio,
            regions=regions,
            template=template,
            fps=fps,
            sync_critic=sync_critic,
            seed=seed,
            jobs=jobs,
            engine=engine,
            progress=show,
        )
    exceeded = beyond(result.mean, limits)
    write_outputs(result, csv, html)
    if as_json:
        print_json(_document(result, limits, exceeded))
    else:
        _print_tables(result)
        for figure, reason in exceeded.items():
            note(f"{figure} {reason}")
        for name, reason in result.left_out.items():
            note(f"left out: {name} {reason}")
    print_failures(result.failed)
    if result.failed:
        raise typer.Exit(1)
    leave_if_beyond(bool(limits), not exceeded)


def _document(result: Evaluation, limits: Mapping[str, float], exceeded: Mapping[str, str]) -> dict[str, object]:
    """What `--json` prints: the prediction first, then all systems by name."""
    systems = {name: system.document() for name, system in result.systems.items()}
    first = next(iter(systems.values()))
    others = {"failed": result.failed, "left_out": result.left_out}
    judged = {"tolerance": limits, "beyond": exceeded} if limits else {}
    return first | others | judged | ({"systems": systems} if len(systems) > 1 else {})


def _print_tables(result: Evaluation) -> None:
    """A row for each figure: of each clip where they are few, else the mean of each system and how certain it is."""
    if len(result.systems) == 1 and len(result.pairs) <= MOST_CLIP_COLUMNS:
        columns = {
            name: [_number(row.get(figure)) for figure in result.first.names] for name, row in result.pairs.items()
        }
    else:
        columns = {}
    if len(columns) != 1:
        for name, system in result.systems.items():
            label = "mean" if len(result.systems) == 1 else name
            columns[label] = [_with_interval(system.mean.get(f), system.intervals.get(f)) for f in result.first.names]
    rows = list(zip(result.first.names, *columns.values(), strict=True))
    print_table(("figure", *columns), rows)


def _number(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.4f}"


def _with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    return _number(value) + ("" if interval is None else f" [{_number(interval[0])}, {_number(interval[1])}]")
