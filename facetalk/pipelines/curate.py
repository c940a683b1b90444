"""Videos -> a dataset folder of clips that are worth learning from, with a reason for everything that was left out.

The order is LaughTalk's (METHODS 2.5): scenes, faces, movement, length, the active speaker, laughter, clips, fit.
"""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facetalk.audio.activity import speech_activity
from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.parallel import each_in_parallel
from facetalk.core.progress import Progress, silent
from facetalk.core.threads import one_torch_thread
from facetalk.core.timing import FPS, SAMPLE_RATE, windows
from facetalk.core.types import Motion
from facetalk.core.version import __version__
from facetalk.data.curation.laughter import find_laughs, laughs_at
from facetalk.data.curation.scan import VideoScan, scan_video
from facetalk.data.curation.select import Hearing, KeptSpan, select_spans
from facetalk.data.curation.settings import CurationRules, LaughterRules
from facetalk.data.curation.spans import Span
from facetalk.fitters.read_back import RenderedReader
from facetalk.head.model import HeadModel
from facetalk.io.audio import Waveform, write_wav
from facetalk.io.files import replacing
from facetalk.io.heads import read_head
from facetalk.io.motion import write_motion
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.video import read_video_info
from facetalk.motion.retarget import arkit_view, from_view
from facetalk.networks.registry import load
from facetalk.pipelines.fit import (
    MANIFEST,
    MANIFEST_COLUMNS,
    REJECTED,
    clip_names,
    find_note,
    find_videos,
    read_notes,
)
from facetalk.tracking.fit import fit_landmarks
from facetalk.tracking.settings import FitSettings
from facetalk.vision.landmark_detector import detector_name

CLIP_COLUMNS = (*MANIFEST_COLUMNS, "start_s", "end_s", "face", "laughter_s")
REJECTED_COLUMNS = ("source", "start_s", "end_s", "face", "reason", "value", "threshold")

_WORK = ".curation"
"""Folder in the dataset: what is known of each video, so that a run that was broken off goes on."""

_PIECE_FRAMES, _MARGIN_FRAMES = 9000, 60
"""Sound is heard in pieces of five minutes, each at its own level, so that memory does not grow with the video."""


@dataclass(frozen=True)
class CurationSummary:
    """What became of a list of videos."""

    clips: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the manifest."""
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the table of what was left out; videos that failed are among them."""
    durations_s: dict[str, float] = field(default_factory=dict)
    """Length of each video that was judged."""
    skipped: list[str] = field(default_factory=list)
    """Videos that were done before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason by video."""

    @property
    def kept_s(self) -> float:
        """Seconds in clips."""
        return sum(row["end_s"] - row["start_s"] for row in self.clips)

    def seconds_by_reason(self) -> dict[str, float]:
        """Seconds of faces that were left out, the commonest reason first."""
        seconds: Counter[str] = Counter()
        for row in self.rejected:
            if row["start_s"] != "":
                seconds[row["reason"]] += row["end_s"] - row["start_s"]
        return {reason: round(total, 3) for reason, total in seconds.most_common()}


@dataclass(frozen=True)
class _Job:
    video: Path
    name: str
    out_dir: Path
    head: str
    rules: CurationRules
    settings: FitSettings | None
    note: Mapping[str, str]
    laughs: Sequence[tuple[float, float]] | None

    @property
    def record_path(self) -> Path:
        """What is known of the video once it is done."""
        return self.out_dir / _WORK / f"{self.name}.json"

    @property
    def scan_dir(self) -> Path:
        """What was seen in it, until then."""
        return self.out_dir / _WORK / self.name


def curate_videos(
    paths: Sequence[Path | str],
    out_dir: Path | str,
    *,
    rules: CurationRules | None = None,
    head: str = "facetalk",
    settings: FitSettings | None = None,
    skip_existing: bool = False,
    overwrite: bool = False,
    jobs: int | None = None,
    about: Path | str | None = None,
    laughs: Path | str | None = None,
    progress: Progress = silent,
) -> CurationSummary:
    """Cut videos into the clips that are worth learning from, and fit them.

    The folder gets `manifest.csv`, a motion and a sound file per clip, and `rejected.csv`. A video that fails does not
    stop the others; a run that was broken off goes on with `skip_existing`.

    Args:
        paths: videos, or folders that are searched for videos.
        out_dir: the dataset; made if needed.
        rules: thresholds.
        head: name of the head.
        settings: weights of the fit.
        skip_existing: leave out videos that are done.
        overwrite: do videos again that are done; without either, such a video fails.
        jobs: videos at the same time; as many as there are processors if not given.
        about: see `facetalk.fitters.landmarks.fit_videos`.
        laughs: CSV file with the columns `path`, `start_s` and `end_s`: for the videos that it names, these laughs
            count instead of the detector's.
        progress: told the number of videos done.
    """
    if skip_existing and overwrite:
        raise UsageError("--skip-existing and --overwrite exclude each other")
    rules = rules or CurationRules()
    out_dir = Path(out_dir)
    notes = read_notes(Path(about)) if about is not None else {}
    listed = read_laugh_times(Path(laughs)) if laughs is not None else {}
    every = [
        _Job(video, name, out_dir, head, rules, settings, find_note(video, notes) or {}, find_note(video, listed))
        for video, name in clip_names(find_videos(paths)).items()
    ]
    summary, waiting = CurationSummary(), []
    for job in every:
        reason = _why_not(job, skip_existing, overwrite)
        if reason is not None:
            summary.failed[str(job.video)] = reason
        elif job.record_path.is_file() and skip_existing:
            summary.skipped.append(str(job.video))
        else:
            waiting.append(job)
    try:
        for done, (job, reason) in enumerate(each_in_parallel(_work, waiting, jobs), 1):
            if reason is not None:
                summary.failed[str(job.video)] = reason
            progress("curating videos", done, len(waiting))
    finally:
        _gather(every, summary)
        _write_csv(out_dir / MANIFEST, CLIP_COLUMNS, summary.clips)
        _write_csv(out_dir / REJECTED, REJECTED_COLUMNS, summary.rejected)
    return summary


def read_laugh_times(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Start and end of laughs in seconds, by path, from a CSV file."""
    if not path.is_file():
        raise UsageError(f"no file {path} to read laughs from")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    times: dict[str, list[tuple[float, float]]] = {}
    try:
        for row in rows:
            times.setdefault(row["path"], []).append((float(row["start_s"]), float(row["end_s"])))
    except (KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is not a table of path, start_s, end_s: {error}") from None
    return times


def _why_not(job: _Job, skip_existing: bool, overwrite: bool) -> str | None:
    """Why a video cannot be done, if so."""
    if overwrite or not job.record_path.is_file():
        return None
    if not skip_existing:
        return f"is curated already in {job.out_dir}; use --skip-existing or --overwrite"
    if json.loads(job.record_path.read_text(encoding="utf-8"))["rules"] != plain(job.rules):
        return f"was curated in {job.out_dir} by other thresholds; use --overwrite or another folder"
    return None


def _work(job: _Job) -> str | None:
    """Curate one video; the record comes last and says that it is complete."""
    try:
        with one_torch_thread():
            _forget(job)
            record = _curate(job)
        with replacing(job.record_path) as temporary:
            temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
        shutil.rmtree(job.scan_dir)
    except FacetalkError as error:
        return str(error)
    return None


def _forget(job: _Job) -> None:
    """Remove the clips of an earlier run."""
    if job.record_path.is_file():
        for row in json.loads(job.record_path.read_text(encoding="utf-8"))["clips"]:
            for suffix in (".npz", ".wav"):
                (job.out_dir / f"{row['name']}{suffix}").unlink(missing_ok=True)
        job.record_path.unlink()


def _curate(job: _Job) -> dict[str, Any]:
    with StreamedAudio(job.video) if read_video_info(job.video).has_audio else nullcontext() as waveform:
        return _curate_with(job, waveform)


def _curate_with(job: _Job, waveform: StreamedAudio | None) -> dict[str, Any]:
    scan = scan_video(job.video, job.scan_dir, job.rules.scenes, job.rules.face)
    hearing = None if waveform is None else hear(waveform, scan.num_frames, job.rules.laughter, job.laughs)
    selection = select_spans(scan.tracks(), scan.num_frames, hearing, job.rules)
    rejected = [
        _rejected_row(job, row.rejection.span, row.face, row.rejection.reason, row.rejection.value,
                      row.rejection.threshold) for row in selection.rejected
    ]  # fmt: skip
    model = HeadModel(read_head(job.head))
    clips = []
    for kept in selection.kept:
        motion = _fit(job, scan, kept, model)
        error = float(motion.fit_error.nanmean()) if motion.fit_error is not None else 0.0
        if error > job.rules.fit.max_error:
            limit = job.rules.fit.max_error
            rejected.append(_rejected_row(job, kept.span, kept.face, "poor fit", error, limit))
            continue
        name = f"{job.name}_{len(clips) + 1:03d}"
        if waveform is not None:
            write_wav(job.out_dir / f"{name}.wav", _sound(waveform, kept.span))
        write_motion(job.out_dir / f"{name}.npz", motion)
        clips.append(_clip_row(job, name, kept, motion, waveform is not None))
    rejected.sort(key=lambda row: row["start_s"])
    return {
        "rules": plain(job.rules),
        "duration_s": round(scan.num_frames / FPS, 3),
        "clips": clips,
        "rejected": rejected,
    }


def hear(
    waveform: Waveform,
    num_frames: int,
    rules: LaughterRules,
    laugh_times: Sequence[tuple[float, float]] | None = None,
) -> Hearing:
    """What is heard in a video: the mouth to expect, voice, and laughter.

    Args:
        waveform: 16 kHz sound.
        num_frames: of the video, 30 a second.
        rules: what counts as a laugh.
        laugh_times: start and end of each laugh in seconds, where they are known.
    """
    encoder, detector = load("speech-encoder"), None if laugh_times is not None else load("laughter-detector")
    parts = []
    for window in windows(num_frames, _PIECE_FRAMES + 2 * _MARGIN_FRAMES, _MARGIN_FRAMES):
        part = _sound(waveform, Span(window.read.start, window.read.stop))
        expected = encoder.encode(part)[:, encoder.slices["mouth"]][:, 0]
        # The encoder's mouth comes one frame late (its card): read ahead, so that sound in step has no lag.
        expected = torch.cat([expected[1:], expected[-1:]])
        voiced = speech_activity(part)
        # In near-silence the detector guesses: what is not heard is no laugh.
        laughing = torch.zeros_like(expected) if detector is None else detector.probability(part) * voiced
        parts.append(torch.stack([expected, voiced.float(), laughing])[:, window.keep])
    expected, voiced, laughing = torch.cat(parts, 1)
    laughs = find_laughs(laughing, rules) if laugh_times is None else laughs_at(laugh_times, num_frames)
    return Hearing(expected, voiced > 0, laughs)


def _fit(job: _Job, scan: VideoScan, kept: KeptSpan, model: HeadModel) -> Motion:
    start_s, end_s = kept.span.start / FPS, kept.span.stop / FPS
    points, times = scan.points(kept.face, start_s, end_s)
    motion = fit_landmarks(
        points,
        times,
        scan.image_size,
        arkit_view(model),
        settings=job.settings,
        read_back=RenderedReader(model),
        source=str(job.video),
        source_fps=scan.fps,
        meta={
            "facetalk": __version__,
            "command": "fit --curate",
            "detector": detector_name(),
            "start_s": start_s,
            "end_s": end_s,
        },
    )
    return from_view(motion.cut(0, kept.span.length), model)


def _sound(waveform: Waveform, span: Span) -> Tensor:
    """The sound of a span, with silence where the recording has ended."""
    first, last = (round(edge / FPS * SAMPLE_RATE) for edge in span)
    return _to_length(waveform[first:last], last - first)


def _to_length(values: Tensor, length: int) -> Tensor:
    """The first `length` values, with zeros behind the end."""
    if len(values) >= length:
        return values[:length]
    return torch.cat([values, values.new_zeros(length - len(values))])


def _clip_row(job: _Job, name: str, kept: KeptSpan, motion: Motion, has_audio: bool) -> dict[str, Any]:
    width, height = motion.camera.image_size if motion.camera is not None else (0, 0)
    seen = motion.confidence if motion.confidence is not None else motion.expression.new_ones(motion.num_frames)
    error = motion.fit_error if motion.fit_error is not None else motion.expression.new_zeros(motion.num_frames)
    known = not math.isnan(kept.av_corr)
    laughs = kept.laughter_s >= job.rules.laughter.label_s
    return {
        "name": name,
        "source": str(job.video),
        "speaker": job.note.get("speaker", ""),
        "label": job.note.get("label", "") or ("laughing" if laughs else ""),
        "duration_s": round(motion.num_frames / FPS, 3),
        "num_frames": motion.num_frames,
        "source_fps": round(motion.source_fps, 3),
        "width": width,
        "height": height,
        "has_audio": int(has_audio),
        "face_frames_ratio": round(float((seen > 0).float().mean()), 4),
        "fit_error": round(float(error.nanmean()), 5),
        "av_corr": round(kept.av_corr, 3) if known else "",
        "av_lag_ms": round(1000 * kept.av_lag_s) if known else "",
        "start_s": round(kept.span.start / FPS, 3),
        "end_s": round(kept.span.stop / FPS, 3),
        "face": kept.face,
        "laughter_s": round(kept.laughter_s, 3),
    }


def _rejected_row(job: _Job, span: Span, face: int | None, reason: str, value: float, limit: float) -> dict[str, Any]:
    return {
        "source": str(job.video),
        "start_s": round(span.start / FPS, 3),
        "end_s": round(span.stop / FPS, 3),
        "face": "" if face is None else face,
        "reason": reason,
        "value": round(value, 3) if math.isfinite(value) else "",
        "threshold": round(limit, 3),
    }


def _gather(jobs: Sequence[_Job], summary: CurationSummary) -> None:
    """Fill the summary from the records of the videos that are done."""
    for job in jobs:
        source = str(job.video)
        if source in summary.failed:
            summary.rejected.append(
                dict.fromkeys(REJECTED_COLUMNS, "") | {"source": source, "reason": summary.failed[source]}
            )
        elif job.record_path.is_file():
            record = json.loads(job.record_path.read_text(encoding="utf-8"))
            summary.clips.extend(record["clips"])
            summary.rejected.extend(record["rejected"])
            summary.durations_s[source] = record["duration_s"]


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
