"""Video -> motion of a head; many videos -> a dataset folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from facetalk.core.engines import LOCAL, each_with
from facetalk.core.errors import USER_ERRORS, FacetalkError, UsageError, user_error
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.text import table_name, unicode_name
from facetalk.data.manifest import COLUMNS, FAILED_COLUMNS, MANIFEST, REJECTED, manifest_row, write_rows
from facetalk.data.notes import NOTE_COLUMNS, checked_match, read_notes
from facetalk.data.sources import clip_names, find_videos
from facetalk.fitters.base import no_listener
from facetalk.fitters.registry import check_method, load_fitter
from facetalk.head.model import HeadModel
from facetalk.io.audio import write_wav
from facetalk.io.files import folder_of_results, free_path, keeping, make_folder
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.path_list import as_path, listed, single
from facetalk.metrics.av_offset import AvOffset
from facetalk.metrics.fit_quality import face_frames_ratio, mean_fit_error
from facetalk.motion.heads import load_head
from facetalk.pipelines.av_sync import (
    AudioBeside,
    audio_beside,
    av_offset_of,
    offset_figures,
    offsets_by_folder,
    warn_if_out_of_sync,
    with_av_offset,
)
from facetalk.pipelines.batch import Outcome, Report, check_batch_flags, failed, no_report, run_batch
from facetalk.pipelines.preview import render_preview
from facetalk.pipelines.records import fingerprint, wanted_targets

_log = logging.getLogger(__name__)


def fit(
    video: Path | str,
    *,
    method: str = "landmarks",
    head: HeadModel | str = "facetalk",
    refine: bool = False,
    face: int | None = None,
    progress: Progress = no_progress,
) -> Motion:
    """Fit a head to the face in a video.

    Args:
        video: any video that ffmpeg reads. For folders, patterns and lists there is `fit_videos`.
        method: `landmarks`, the most accurate, or `spectre`, networks that also see the frames.
        head: a head, or the name of one.
        refine: with `spectre`, train the networks on the video first; takes about eight seconds of one core for each
            second of video.
        face: which of several people, counted from 1 at the left of the frame; if None, the main one.
        progress: called with the number of frames done and expected.

    Returns:
        The motion at 30 fps, with the estimated camera, and the fit error and confidence of each frame.

    Raises:
        FacetalkError: the video cannot be decoded, or shows no face.
        UsageError: unknown method, refinement with a method that has none, or no such person.

    Example:
        >>> motion = fit("interview.mp4")
    """
    path = single(video, "video", "fit_videos")
    fitter = load_fitter(method, refine=refine)
    model = load_head(head) if isinstance(head, str) else head
    return fitter.fit(path, model, face=face, progress=progress)


@dataclass(frozen=True)
class FitOptions:
    """Fitting method, head, and files written next to each motion file."""

    method: str = "landmarks"
    head: str = "facetalk"
    refine: bool = False
    preview: bool = False
    """Whether to write `NAME_preview.mp4`."""
    face: int | None = None
    """Which of several people, see `fit`."""

    def __post_init__(self) -> None:
        check_method(self.method, self.refine)


@dataclass(frozen=True)
class FitSummary:
    """Outcome for each of several videos."""

    written: list[Path] = field(default_factory=list)
    """New motion files."""
    skipped: list[Path] = field(default_factory=list)
    """Motion files that existed before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason by video."""
    num_described: int | None = None
    """Videos that the table of speakers and labels describes; None without a table."""


def fit_to_file(
    video: Path,
    out_path: Path,
    options: FitOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Motion:
    """Fit one video and write its motion file; arguments as for `fit`."""
    options = options or FitOptions()
    free_path(out_path, overwrite)
    model = load_head(options.head)
    with audio_beside(video) as audio, folder_of_results(out_path.parent), keeping(out_path.parent):
        motion = _fit(video, options, model, audio, progress)
        if audio is not None:
            try:
                motion = with_av_offset(motion, model, audio.expected_mouth(motion.num_frames))
            except FacetalkError as error:
                _log.warning("whether audio and video are in sync is not known: %s", error)
            warn_if_out_of_sync(motion, video)
        motion = motion.replace(meta={**motion.meta, **made_with(video, options)})
        _write(motion, video, out_path, options, model)
    return motion


def _fit(
    video: Path, options: FitOptions, head: HeadModel, audio: AudioBeside | None, progress: Progress = no_progress
) -> Motion:
    """Fit a video, and let its audio be heard in the meantime."""
    fitter = load_fitter(options.method, refine=options.refine)
    on_length = no_listener if audio is None else audio.listen
    return fitter.fit(video, head, face=options.face, progress=progress, on_length=on_length)


def figures(motion: Motion) -> dict[str, object]:
    """What is reported about a fit."""
    values: dict[str, object] = {
        "frames": motion.num_frames,
        "seconds": motion.duration_s,
        "fit_error": mean_fit_error(motion),
        "face_frames_ratio": face_frames_ratio(motion),
        "person": motion.meta.get("person"),
        "av_offset": offset_figures(motion),
        "focal_px": None if motion.camera is None else float(motion.camera.K[0, 0]),
    }
    return values | ({"refined": motion.meta["refined"]} if "refined" in motion.meta else {})


def made_with(video: Path, options: FitOptions) -> dict[str, object]:
    """The options that decide a fit; they are stored with it, and tell whether a later run would repeat it."""
    return {
        "video": unicode_name(video.name),
        "video_fingerprint": fingerprint(video),
        "method": options.method,
        "head": options.head,
        "refine": options.refine,
        "face": options.face,
    }


def fit_videos(
    videos: Sequence[Path | str],
    out_dir: Path | str,
    *,
    method: str = "landmarks",
    head: str = "facetalk",
    refine: bool = False,
    preview: bool = False,
    face: int | None = None,
    about: Path | str | None = None,
    jobs: int | None = None,
    engine: str = LOCAL,
    skip_existing: bool = False,
    overwrite: bool = False,
    progress: Progress = no_progress,
    report: Report = no_report,
) -> FitSummary:
    """Make a dataset folder: `manifest.csv`, a motion and an audio file per video, `rejected.csv` with reasons.

    A video that fails does not stop the others. The manifest also lists videos that were fitted by an earlier,
    interrupted run.

    Args:
        videos: videos, folders that are searched for videos, patterns such as `takes/*.mp4`, and lists of all these as
            `@list.txt`.
        out_dir: the dataset; created if needed.
        method: see `fit`.
        head: name of the head.
        refine: see `fit`.
        preview: also write `NAME_preview.mp4`.
        face: see `fit`; for a single video only.
        about: CSV file with a column `path` (the end of a video's path) and any of `speaker`, `label`, `av_corr` and
            `av_lag_ms`, which are copied to the manifest; see `match_notes`. A table that describes none of the videos
            is an error.
        jobs: number of videos at the same time; all usable cores if None.
        engine: `local`, or a Ray cluster, see `facetalk.core.engines`.
        skip_existing: skip videos whose motion file exists and was made with the same options.
        overwrite: replace existing motion files; without either, such a video fails.
        progress: called with the number of videos done.
        report: called with what became of each video, as soon as it is known.
    """
    check_batch_flags(skip_existing, overwrite)
    each_with(engine)
    out_dir = as_path(out_dir, "out_dir")
    options = FitOptions(method, head, refine, preview, face)
    names = {video: table_name(name) for video, name in clip_names(find_videos(listed(videos))).items()}
    if face is not None and len(names) > 1:
        raise UsageError("a person can be chosen in one video only: give one video")
    notes = None if about is None else checked_match(list(names), read_notes(about), about).notes
    make_folder(out_dir)
    waiting: dict[Path, _Job] = {}
    seen: list[Outcome] = []
    for video, name in names.items():
        job = _Job(video, out_dir / f"{name}.npz", options)
        try:
            wanted, redone = _wanted(job, overwrite, skip_existing)
        except USER_ERRORS as error:
            seen.append(failed(video, user_error(error)))
            continue
        if wanted:
            waiting[video] = replace(job, redone=redone)
        else:
            row = _stored_row(job.out_path, video)
            seen.append(Outcome(video, "skipped", {"npz": job.out_path}, row=row))
    settled = list(seen)
    seen.clear()

    def noted(outcome: Outcome) -> None:
        seen.append(outcome)
        report(outcome)

    try:
        run_batch(_fit_clip, waiting, settled, noted, progress, jobs, engine)
    finally:
        seen.sort(key=lambda outcome: outcome.place)
        _write_tables(out_dir, names, seen, notes or {})
    return FitSummary(
        written=[outcome.files["npz"] for outcome in seen if outcome.state == "done"],
        skipped=[outcome.files["npz"] for outcome in seen if outcome.state == "skipped"],
        failed={str(outcome.source): str(outcome.error) for outcome in seen if outcome.error is not None},
        num_described=None if notes is None else len(notes),
    )


@dataclass(frozen=True)
class _Job:
    video: Path
    out_path: Path
    options: FitOptions
    redone: str = ""


def _wanted(job: _Job, overwrite: bool, skip_existing: bool) -> tuple[bool, str]:
    """Whether a video is to be fitted, and why an existing fit is made again."""
    if not job.out_path.exists():
        return True, ""
    targets = {"npz": job.out_path}
    wanted, redone = wanted_targets(targets, lambda _: made_with(job.video, job.options), overwrite, skip_existing)
    return bool(wanted), redone


def _fit_clip(job: _Job) -> Outcome:
    """Fit one video of a dataset; where the motion file exists, all is complete."""
    with keeping(job.out_path.parent):
        return _fit_to_dataset(job)


def _fit_to_dataset(job: _Job) -> Outcome:
    options, start = job.options, time.perf_counter()
    model = load_head(options.head)
    files = {"npz": job.out_path}
    with audio_beside(job.video) as audio:
        motion = _fit(job.video, options, model, audio)
        if audio is not None:
            files["wav"] = job.out_path.with_suffix(".wav")
            write_wav(files["wav"], audio.waveform())
            motion = with_av_offset(motion, model, audio.expected_mouth(motion.num_frames))
    motion = motion.replace(meta={**motion.meta, **made_with(job.video, options)})
    _write(motion, job.video, job.out_path, options, model)
    details = {**figures(motion), "timings_s": {"fit": round(time.perf_counter() - start, 3)}}
    row = _row(job.out_path, job.video, motion, "wav" in files)
    return Outcome(job.video, "done", files, redone=job.redone, details=details, row=row)


def _row(path: Path, video: Path, motion: Motion, has_audio: bool) -> dict[str, object]:
    """Row of the manifest, and the estimated offset of the audio."""
    return {**manifest_row(path.stem, video, motion, has_audio), "found": av_offset_of(motion), "audio": has_audio}


def _stored_row(path: Path, video: Path) -> dict[str, object]:
    return _row(path, video, read_motion(path), path.with_suffix(".wav").is_file())


def _write(motion: Motion, video: Path, out_path: Path, options: FitOptions, head: HeadModel) -> None:
    """Write the preview, if any, then the motion."""
    if options.preview:
        render_preview(motion, video, out_path.with_name(f"{out_path.stem}_preview.mp4"), head=head, overwrite=True)
    write_motion(out_path, motion)


def _write_tables(
    out_dir: Path,
    names: Mapping[Path, str],
    outcomes: Sequence[Outcome],
    notes: Mapping[Path, Mapping[str, str]],
) -> None:
    """List the clips that are in the folder, also those of an earlier run that this one did not reach.

    Quick, because it also ends an interrupted run: rows that are known are not made from the motion files again.
    """
    known = {outcome.source: outcome.row for outcome in outcomes if outcome.row is not None}
    rows: dict[Path, dict[str, object]] = {}
    for video, name in names.items():
        path = out_dir / f"{name}.npz"
        if path.is_file():
            rows[video] = {**(known.get(video) or _stored_row(path, video))}
    found: dict[Path, AvOffset | None] = {video: row.pop("found") for video, row in rows.items()}  # type: ignore[misc]
    spoken = {video: found[video] for video, row in rows.items() if row.pop("audio")}
    for video, offset_ms in offsets_by_folder(spoken).items():
        rows[video]["av_offset_ms"] = round(offset_ms)
    for video, row in rows.items():
        row |= {key: notes.get(video, {}).get(key, "") for key in NOTE_COLUMNS}
    write_rows(out_dir / MANIFEST, COLUMNS, rows.values())
    failures = [
        {"source": str(outcome.source), "reason": str(outcome.error)}
        for outcome in outcomes
        if outcome.error is not None and outcome.source not in rows
    ]
    write_rows(out_dir / REJECTED, FAILED_COLUMNS, failures)
