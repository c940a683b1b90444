"""`facetalk fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facetalk.cli.curation import CurateFlag, LaughTimes, ReportFlag, RuleChanges, report_on, report_on_clip
from facetalk.cli.curation import curate as curate_and_print
from facetalk.cli.output import HeadName, JsonFlag, OverwriteFlag, SkipFlag, print_failures, print_json, progress_bar


def fit(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Videos of one face, or folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="For one video a .npz file; else a folder.  [default: VIDEO.npz or fits]"),
    ] = None,
    head: HeadName = "facetalk",
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="landmarks: the tracker, the most exact. spectre: networks that see pictures and landmarks, taught "
            "with a lip reader; lips open as truly but lie less exactly, eyes and brows move less.",
        ),
    ] = "landmarks",
    refine: Annotated[
        bool,
        typer.Option(
            "--refine",
            help="With spectre: teach the networks each video first; the face lies a fifth nearer, at eight seconds of "
            "one core a second of video.",
        ),
    ] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Also write a video: original, head over it, curves.")
    ] = False,
    face: Annotated[
        int | None,
        typer.Option(
            "--face",
            min=1,
            help="Which of several people, counted from the left.  [default: the main one]",
        ),
    ] = None,
    about: Annotated[
        Path | None, typer.Option("--about", metavar="CSV", help="Speakers and labels for the dataset's manifest.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Videos at the same time.  [default: one a core]")
    ] = None,
    curate: CurateFlag = False,
    rules: RuleChanges = None,
    laughs: LaughTimes = None,
    report: ReportFlag = False,
    overwrite: OverwriteFlag = False,
    skip_existing: SkipFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Turn videos of a face into motion files.

    Several videos become a dataset folder: a motion and a sound file for each, manifest.csv, and rejected.csv with the
    reason for each that failed. With --curate the folder holds the clips of the videos that are worth learning from,
    and rejected.csv the reason for every other second.
    """
    if (rules or laughs) and not curate:
        raise typer.BadParameter("--set and --laughs change what --curate keeps: give --curate too")
    if curate:
        if method != "landmarks" or refine:
            raise typer.BadParameter("--curate fits by landmarks: leave --method and --refine out")
        if preview or face is not None:
            raise typer.BadParameter("--curate looks at every face: use --report in place of --preview and --face")
        options = {"head": head, "jobs": jobs, "about": about, "laughs": laughs}
        options |= {"overwrite": overwrite, "skip_existing": skip_existing}
        curate_and_print(videos, out or Path("fits"), rules or (), as_json, report, **options)
        return
    if len(videos) == 1 and not videos[0].is_dir():
        _fit_one(videos[0], out, head, method, refine, preview, report, face, overwrite, skip_existing, as_json)
        return
    if face is not None:
        raise typer.BadParameter("--face chooses among the people of one video: give one video")
    if out is not None and out.suffix == ".npz":
        raise typer.BadParameter(f"{out} is one file, but there are {len(videos)} inputs: give a folder")
    from facetalk.pipelines.fit import fit_videos

    with progress_bar(as_json) as show:
        summary = fit_videos(
            videos,
            out or Path("fits"),
            head=head,
            method=method,
            refine=refine,
            preview=preview,
            skip_existing=skip_existing,
            overwrite=overwrite,
            jobs=jobs,
            about=about,
            progress=show,
        )
    if report:
        report_on(out or Path("fits"), head, as_json)
    if as_json:
        print_json({"written": summary.written, "skipped": summary.skipped, "failed": summary.failed})
    else:
        typer.echo("\n".join(map(str, summary.written)))
        if summary.skipped:
            typer.echo(f"{len(summary.skipped)} done already", err=True)
    print_failures(summary.failed)
    if summary.failed:
        raise typer.Exit(1)


def _fit_one(
    video: Path,
    out: Path | None,
    head: str,
    method: str,
    refine: bool,
    preview: bool,
    report: bool,
    face: int | None,
    overwrite: bool,
    skip_existing: bool,
    as_json: bool,
) -> None:
    from facetalk.motion.heads import load_head
    from facetalk.pipelines.fit import fit_to_file

    out_path = Path(f"{video.stem}.npz") if out is None else out if out.suffix == ".npz" else out / f"{video.stem}.npz"
    if skip_existing and out_path.exists():
        typer.echo(f"{out_path} is there already", err=True)
        if report:
            report_on_clip(out_path, head)
        if as_json:
            print_json({"motion": out_path, "skipped": True})
        return
    with progress_bar(as_json) as show:
        motion = fit_to_file(
            video,
            out_path,
            head=load_head(head),
            method=method,
            refine=refine,
            preview=preview,
            overwrite=overwrite,
            face=face,
            progress=show,
        )
    if "refined" in motion.meta:
        before, after = motion.meta["refined"]["before"], motion.meta["refined"]["after"]
        typer.echo(
            f"landmark error {before['landmark_error']:.4f} -> {after['landmark_error']:.4f} inter-ocular units, "
            f"motion stability {before['stability']:.3f} -> {after['stability']:.3f} s2/m",
            err=True,
        )
    if report:
        report_on_clip(out_path, head)
    if not as_json:
        typer.echo(out_path)
        return
    error = None if motion.fit_error is None else motion.fit_error.nanmean().item()
    faces = None if motion.confidence is None else (motion.confidence > 0).float().mean().item()
    focal_px = None if motion.camera is None else float(motion.camera.K[0, 0])
    document = {"motion": out_path, "frames": motion.num_frames, "seconds": motion.duration_s}
    document |= {"fit_error": error, "face_frames_ratio": faces, "focal_px": focal_px}
    print_json({**document, "skipped": False})
