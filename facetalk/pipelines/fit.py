"""Video -> landmarks -> motion of a head; many videos -> a dataset folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch

from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.parallel import each_in_parallel
from facetalk.core.progress import Progress, silent
from facetalk.core.timing import FPS
from facetalk.core.types import Motion
from facetalk.fitters.detect import Detections as Detections
from facetalk.fitters.detect import detect_landmarks as detect_landmarks
from facetalk.fitters.landmarks import fit_video
from facetalk.head.model import HeadModel
from facetalk.io.audio import write_wav
from facetalk.io.files import replacing
from facetalk.io.motion import read_motion, write_motion
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.video import VideoReader
from facetalk.motion.heads import load_head
from facetalk.tracking.settings import FitSettings

METHODS = ("landmarks", "spectre")
"""Ways to fit a video: by the detector's points, or by networks that look at the pictures."""

MANIFEST = "manifest.csv"
REJECTED = "rejected.csv"
MANIFEST_COLUMNS = (
    "name", "source", "speaker", "label", "duration_s", "num_frames", "source_fps", "width", "height", "has_audio",
    "face_frames_ratio", "fit_error", "av_corr", "av_lag_ms",
)  # fmt: skip


@dataclass(frozen=True)
class TrackSummary:
    """What became of a list of videos."""

    written: list[Path] = field(default_factory=list)
    """Motion files made now."""
    skipped: list[Path] = field(default_factory=list)
    """Motion files that were there before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason by video."""


def fit_by_method(
    path: Path | str,
    method: str,
    *,
    head: HeadModel,
    refine: bool = False,
    settings: FitSettings | None = None,
    face: int | None = None,
    progress: Progress = silent,
) -> Motion:
    """The motion of a video's face by one of `METHODS`.

    Args:
        path: any video that ffmpeg reads.
        method: `landmarks` is `fit_video`, `spectre` is `spectre.fit_video_spectre`.
        head: the head to move.
        refine: teach SPECTRE's networks the clip first.
        settings: weights of the landmark fit.
        face: see `detect_landmarks`.
        progress: see `detect_landmarks`.
    """
    check_method(method, refine)
    if method == "spectre":
        from facetalk.fitters.spectre import fit_video_spectre

        return fit_video_spectre(path, head=head, refine=refine, face=face, progress=progress)
    return fit_video(path, head=head, settings=settings, face=face, progress=progress)


def check_method(method: str, refine: bool) -> None:
    """Refuse methods that do not exist, and refinement where there is nothing to refine."""
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}; there are: {', '.join(METHODS)}")
    if refine and method != "spectre":
        raise UsageError("--refine teaches SPECTRE's networks a clip: add --method spectre")


def fit_to_file(
    path: Path | str,
    out_path: Path | str,
    *,
    head: HeadModel | str = "facetalk",
    method: str = "landmarks",
    refine: bool = False,
    preview: bool = False,
    overwrite: bool = False,
    settings: FitSettings | None = None,
    face: int | None = None,
    progress: Progress = silent,
) -> Motion:
    """Fit one video and write its motion file; `preview` adds `<out>_preview.mp4`.

    `method` and `refine` as in `fit_by_method`.
    """
    out_path = Path(out_path)
    if out_path.exists() and not overwrite:
        raise FacetalkError(f"{out_path} exists already; give another name or --overwrite")
    model = load_head(head) if isinstance(head, str) else head
    motion = fit_by_method(path, method, head=model, refine=refine, settings=settings, face=face, progress=progress)
    if preview:
        from facetalk.pipelines.preview import render_preview

        render_preview(motion, path, out_path.with_name(f"{out_path.stem}_preview.mp4"), head=model, overwrite=True)
    write_motion(out_path, motion)
    return motion


def fit_videos(
    paths: Sequence[Path | str],
    out_dir: Path | str,
    *,
    head: str = "facetalk",
    method: str = "landmarks",
    refine: bool = False,
    preview: bool = False,
    skip_existing: bool = False,
    overwrite: bool = False,
    jobs: int | None = None,
    about: Path | str | None = None,
    settings: FitSettings | None = None,
    progress: Progress = silent,
) -> TrackSummary:
    """Make a dataset folder: `manifest.csv`, a motion and a sound file per clip, `rejected.csv` with reasons.

    A clip that fails does not stop the others. The manifest lists every clip of the list that is in the folder, also
    those of an earlier, interrupted run.

    Args:
        paths: videos, or folders that are searched for videos.
        out_dir: the dataset; made if needed.
        head: name of the head.
        method: see `fit_by_method`.
        refine: see `fit_by_method`.
        preview: write `NAME_preview.mp4` too.
        skip_existing: leave clips out whose motion file is there.
        overwrite: replace motion files that are there; without either, such a clip fails.
        jobs: clips that are worked on at the same time; as many as there are processors if not given.
        about: CSV file with a column `path` (the end of a video's path) and any of `speaker`, `label`, `av_corr` and
            `av_lag_ms`, which go into the manifest.
        settings: weights of the fit.
        progress: told the number of clips done.
    """
    if skip_existing and overwrite:
        raise UsageError("--skip-existing and --overwrite exclude each other")
    check_method(method, refine)
    names = clip_names(find_videos(paths))
    notes = read_notes(Path(about)) if about is not None else {}
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    summary, waiting = TrackSummary(), []
    for video, name in names.items():
        job = _Job(video, out_dir / f"{name}.npz", head, preview, settings, method, refine)
        if job.out_path.exists() and skip_existing:
            summary.skipped.append(job.out_path)
        elif job.out_path.exists() and not overwrite:
            summary.failed[str(video)] = f"{job.out_path} exists already; use --skip-existing or --overwrite"
        else:
            waiting.append(job)
    try:
        for done, (job, reason) in enumerate(each_in_parallel(_work, waiting, jobs), 1):
            if reason is None:
                summary.written.append(job.out_path)
            else:
                summary.failed[str(job.video)] = reason
            progress("fitting videos", done, len(waiting))
    finally:
        _write_tables(out_dir, names, summary, notes)
    return summary


VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".flv", ".ts", ".wmv")


def find_videos(paths: Iterable[Path | str]) -> list[Path]:
    """The videos themselves, and those in folders, sorted by path."""
    found = []
    for path in map(Path, paths):
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"the folder {path} holds no videos ({', '.join(VIDEO_SUFFIXES)})")
        found += inside
    return list(dict.fromkeys(found))


def clip_names(videos: Sequence[Path]) -> dict[Path, str]:
    """A name for each video: its stem, with as many folder names before it as it takes to be the only one."""
    absolute = {video: video.absolute().with_suffix("").parts for video in videos}
    names = {video: parts[-1] for video, parts in absolute.items()}
    for depth in range(2, max((len(parts) for parts in absolute.values()), default=0) + 1):
        taken = list(names.values())
        doubles = [video for video, name in names.items() if taken.count(name) > 1]
        for video in doubles:
            names[video] = "__".join(part.strip("/") for part in absolute[video][-depth:])
    for video in [video for video, name in names.items() if list(names.values()).count(name) > 1]:
        names[video] += video.suffix.replace(".", "_")
    return names


@dataclass(frozen=True)
class _Job:
    video: Path
    out_path: Path
    head: str
    preview: bool
    settings: FitSettings | None
    method: str = "landmarks"
    refine: bool = False


def _work(job: _Job) -> str | None:
    """Fit one clip of a dataset; the motion file comes last and says that the clip is complete."""
    try:
        sound_path = job.out_path.with_suffix(".wav")
        with VideoReader(job.video) as video:
            has_audio = video.has_audio
        model = load_head(job.head)
        motion = fit_by_method(job.video, job.method, head=model, refine=job.refine, settings=job.settings)
        if has_audio:
            with StreamedAudio(job.video) as sound:
                write_wav(sound_path, sound)
        if job.preview:
            from facetalk.pipelines.preview import render_preview

            preview_path = job.out_path.with_name(f"{job.out_path.stem}_preview.mp4")
            render_preview(motion, job.video, preview_path, head=model, overwrite=True)
        write_motion(job.out_path, motion)
    except FacetalkError as error:
        return str(error)
    return None


def read_notes(path: Path) -> dict[str, dict[str, str]]:
    """What a CSV file says of videos, by path."""
    if not path.is_file():
        raise UsageError(f"no file {path} to read speakers and labels from")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "path" not in rows[0]:
        raise UsageError(f"{path} needs a column 'path'; found: {', '.join(rows[0]) if rows else 'nothing'}")
    return {row["path"]: row for row in rows}


Note = TypeVar("Note")


def find_note(video: Path, notes: Mapping[str, Note]) -> Note | None:
    """What notes say of a video: by the longest end of its path that they list."""
    parts = video.absolute().parts
    for start in range(len(parts)):
        row = notes.get("/".join(parts[start:]))
        if row is not None:
            return row
    return None


def _write_tables(
    out_dir: Path, names: dict[Path, str], summary: TrackSummary, notes: dict[str, dict[str, str]]
) -> None:
    present = {*summary.written, *summary.skipped}
    rows = []
    for video, name in names.items():
        if out_dir / f"{name}.npz" in present:
            rows.append(_manifest_row(name, video, out_dir, find_note(video, notes) or {}))
    _write_csv(out_dir / MANIFEST, MANIFEST_COLUMNS, rows)
    rejected = [{"source": source, "reason": reason} for source, reason in summary.failed.items()]
    _write_csv(out_dir / REJECTED, ("source", "reason"), rejected)


def _manifest_row(name: str, video: Path, out_dir: Path, note: dict[str, str]) -> dict[str, object]:
    motion = read_motion(out_dir / f"{name}.npz")
    width, height = motion.camera.image_size if motion.camera is not None else (0, 0)
    seen = motion.confidence if motion.confidence is not None else torch.ones(motion.num_frames)
    error = motion.fit_error if motion.fit_error is not None else torch.zeros(motion.num_frames)
    return {
        "name": name,
        "source": str(video),
        "speaker": note.get("speaker", ""),
        "label": note.get("label", ""),
        "duration_s": round(motion.num_frames / FPS, 3),
        "num_frames": motion.num_frames,
        "source_fps": round(motion.source_fps, 3),
        "width": width,
        "height": height,
        "has_audio": int((out_dir / f"{name}.wav").is_file()),
        "face_frames_ratio": round(float((seen > 0).float().mean()), 4),
        "fit_error": round(float(error.nanmean()), 5),
        "av_corr": note.get("av_corr", ""),
        "av_lag_ms": note.get("av_lag_ms", ""),
    }


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
