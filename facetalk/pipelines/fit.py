"""Video -> motion of a head; many videos -> a dataset folder."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.motion import Motion
from facetalk.core.parallel import each_in_parallel
from facetalk.core.progress import Progress, no_progress
from facetalk.data.manifest import COLUMNS, FAILED_COLUMNS, MANIFEST, REJECTED, manifest_row, write_rows
from facetalk.data.notes import NOTE_COLUMNS, checked_match, read_notes
from facetalk.data.sources import clip_names, find_videos
from facetalk.fitters.registry import check_method, load_fitter
from facetalk.head.model import HeadModel
from facetalk.io.audio import write_wav
from facetalk.io.files import free_path
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.video import read_video_info
from facetalk.motion.heads import load_head
from facetalk.pipelines.av_sync import av_offset_of, offsets_by_folder, warn_if_out_of_sync, with_av_offset
from facetalk.pipelines.preview import render_preview

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
        video: any video that ffmpeg reads.
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
    fitter = load_fitter(method, refine=refine)
    model = load_head(head) if isinstance(head, str) else head
    return fitter.fit(Path(video), model, face=face, progress=progress)


@dataclass(frozen=True)
class FitOptions:
    """Fitting method, head, and files written next to each motion file."""

    method: str = "landmarks"
    head: str = "facetalk"
    refine: bool = False
    preview: bool = False
    """Whether to write `NAME_preview.mp4`."""

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
    face: int | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Motion:
    """Fit one video and write its motion file; arguments as for `fit`."""
    options = options or FitOptions()
    free_path(out_path, overwrite)
    model = load_head(options.head)
    motion = fit(video, method=options.method, head=model, refine=options.refine, face=face, progress=progress)
    if read_video_info(video).has_audio:
        try:
            with StreamedAudio(video) as audio:
                motion = with_av_offset(motion, model, audio)
        except FacetalkError as error:
            _log.warning("whether audio and video are in sync is not known: %s", error)
        warn_if_out_of_sync(motion, video)
    _write(motion, video, out_path, options, model)
    return motion


def fit_videos(
    videos: Sequence[Path | str],
    out_dir: Path | str,
    *,
    method: str = "landmarks",
    head: str = "facetalk",
    refine: bool = False,
    preview: bool = False,
    about: Path | str | None = None,
    jobs: int | None = None,
    skip_existing: bool = False,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> FitSummary:
    """Make a dataset folder: `manifest.csv`, a motion and an audio file per video, `rejected.csv` with reasons.

    A video that fails does not stop the others. The manifest also lists videos that were fitted by an earlier,
    interrupted run.

    Args:
        videos: videos, or folders that are searched for videos.
        out_dir: the dataset; created if needed.
        method: see `fit`.
        head: name of the head.
        refine: see `fit`.
        preview: also write `NAME_preview.mp4`.
        about: CSV file with a column `path` (the end of a video's path) and any of `speaker`, `label`, `av_corr` and
            `av_lag_ms`, which are copied to the manifest; see `match_notes`. A table that describes none of the videos
            is an error.
        jobs: number of videos at the same time; all usable cores if None.
        skip_existing: skip videos whose motion file exists.
        overwrite: replace existing motion files; without either, such a video fails.
        progress: called with the number of videos done.
    """
    check_batch_flags(skip_existing, overwrite)
    options = FitOptions(method, head, refine, preview)
    names = clip_names(find_videos(videos))
    notes = None if about is None else checked_match(list(names), read_notes(about), about).notes
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    summary, waiting = FitSummary(num_described=None if notes is None else len(notes)), []
    for video, name in names.items():
        job = _Job(video, out_dir / f"{name}.npz", options)
        if job.out_path.exists() and skip_existing:
            summary.skipped.append(job.out_path)
        elif job.out_path.exists() and not overwrite:
            summary.failed[str(video)] = f"{job.out_path} exists already; use --skip-existing or --overwrite"
        else:
            waiting.append(job)
    try:
        for done, (job, reason) in enumerate(each_in_parallel(_fit_clip, waiting, jobs), 1):
            if reason is None:
                summary.written.append(job.out_path)
            else:
                summary.failed[str(job.video)] = reason
            progress("fitting videos", done, len(waiting))
    finally:
        _write_tables(out_dir, names, summary, notes or {})
    return summary


def check_batch_flags(skip_existing: bool, overwrite: bool) -> None:
    """Raise a UsageError for flags that exclude each other."""
    if skip_existing and overwrite:
        raise UsageError("--skip-existing and --overwrite exclude each other")


@dataclass(frozen=True)
class _Job:
    video: Path
    out_path: Path
    options: FitOptions


def _fit_clip(job: _Job) -> str | None:
    """Fit one video of a dataset and return the reason if it fails; where the motion file exists, all is complete."""
    options = job.options
    try:
        has_audio = read_video_info(job.video).has_audio
        model = load_head(options.head)
        motion = fit(job.video, method=options.method, head=model, refine=options.refine)
        if has_audio:
            with StreamedAudio(job.video) as audio:
                write_wav(job.out_path.with_suffix(".wav"), audio)
                motion = with_av_offset(motion, model, audio)
        _write(motion, job.video, job.out_path, options, model)
    except FacetalkError as error:
        return str(error)
    return None


def _write(motion: Motion, video: Path, out_path: Path, options: FitOptions, head: HeadModel) -> None:
    """Write the preview, if any, then the motion."""
    if options.preview:
        render_preview(motion, video, out_path.with_name(f"{out_path.stem}_preview.mp4"), head=head, overwrite=True)
    write_motion(out_path, motion)


def _write_tables(
    out_dir: Path, names: Mapping[Path, str], summary: FitSummary, notes: Mapping[Path, Mapping[str, str]]
) -> None:
    present = {*summary.written, *summary.skipped}
    rows: dict[Path, dict[str, object]] = {}
    found = {}
    for video, name in names.items():
        if (motion_path := out_dir / f"{name}.npz") in present:
            motion, has_audio = read_motion(motion_path), motion_path.with_suffix(".wav").is_file()
            note = notes.get(video, {})
            rows[video] = manifest_row(name, video, motion, has_audio)
            rows[video] |= {key: note.get(key, "") for key in NOTE_COLUMNS}
            if has_audio:
                found[video] = av_offset_of(motion)
    for video, offset_ms in offsets_by_folder(found).items():
        rows[video]["av_offset_ms"] = round(offset_ms)
    write_rows(out_dir / MANIFEST, COLUMNS, rows.values())
    failed = [{"source": source, "reason": reason} for source, reason in summary.failed.items()]
    write_rows(out_dir / REJECTED, FAILED_COLUMNS, failed)
