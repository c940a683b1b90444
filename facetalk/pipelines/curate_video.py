"""One video -> the clips that are worth training on, and a reason for everything else."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.spans import Span
from facetalk.core.text_values import parse_json
from facetalk.core.threads import one_torch_thread
from facetalk.core.timing import FPS
from facetalk.data.curation.scan import VideoScan, scan_video
from facetalk.data.curation.select import AudioCues, KeptSpan, select_spans
from facetalk.data.curation.settings import CurationRules
from facetalk.data.curation.spans import Rejection
from facetalk.data.curation.speaker import mouth_offset
from facetalk.data.curation.tracks import MeasuredFace
from facetalk.data.manifest import CURATED_COLUMNS, REJECTED_COLUMNS, manifest_row
from facetalk.fitters.detect import Detections
from facetalk.fitters.landmarks import fit_detections
from facetalk.head.model import HeadModel
from facetalk.io.audio import write_wav
from facetalk.io.files import checked_name, keeping, replacing
from facetalk.io.motion import write_motion
from facetalk.io.streamed_audio import StreamedAudio
from facetalk.io.video import read_video_info
from facetalk.metrics.av_offset import AvOffset, pooled_offsets_ms
from facetalk.metrics.fit_quality import mean_fit_error
from facetalk.motion.heads import load_head
from facetalk.pipelines.audio_cues import audio_cues, audio_of
from facetalk.pipelines.av_sync import expected_mouth
from facetalk.pipelines.records import fingerprint

WORK_DIR = ".curation"
"""Folder in the dataset with what is known of each video, so that an interrupted run can continue."""

WHOLE = 0.9
"""Share of a video from which on a clip of it says what the video does."""


@dataclass(frozen=True)
class CurationJob:
    """One video to curate."""

    video: Path
    name: str
    out_dir: Path
    head: str
    rules: CurationRules
    note: Mapping[str, str]
    """Speaker and label, where the user gives them."""
    laughs: Sequence[tuple[float, float]] | None
    """Start and end of laughs in seconds, where the user gives them."""
    redone: str = ""
    """Why it is curated again."""

    @property
    def record_path(self) -> Path:
        """Clips and rejections of the video; exists when it is complete."""
        return self.out_dir / WORK_DIR / f"{self.name}.json"

    @property
    def scan_dir(self) -> Path:
        """Detections in the video, until it is complete."""
        return self.out_dir / WORK_DIR / self.name

    def made_with(self) -> dict[str, object]:
        """What decides the clips of the video; part of the record."""
        return {"rules": plain(self.rules), "head": self.head, "video_fingerprint": fingerprint(self.video)}

    def read_record(self) -> dict[str, Any]:
        """The content of `record_path`, if it is one that `curate_video` writes."""
        try:
            record = parse_json(self.record_path.read_text(encoding="utf-8"), str(self.record_path), allow_nan=True)
            complete = _is_record(record)
            names = [clip["name"] for clip in record["clips"]]
        except (FacetalkError, ValueError, KeyError, TypeError, AttributeError):
            complete, record, names = False, {}, []
        if not complete:
            raise FacetalkError(f"{self.record_path} is damaged; remove it, and the video is curated again")
        for name in names:
            if not checked_name(name, self.record_path).startswith(f"{self.name}_"):
                raise FacetalkError(f"{self.record_path} names the clip {name!r:.80}, which belongs to another video")
        return record


def _is_record(record: Any) -> bool:
    """Whether values read from a file are a record as `curate_video` writes it."""
    clips, rejected = record["clips"], record["rejected"]
    numbers = [row[key] for row in clips for key in ("start_s", "end_s", "duration_s", "laughter_s")]
    texts = [row[key] for row in clips for key in ("name", "source")] + [row["reason"] for row in rejected]
    values = [value for row in (*clips, *rejected) for value in row.values()]
    return (
        "rules" in record
        and all(isinstance(value, int | float) for value in (record["duration_s"], *numbers))
        and all(isinstance(value, str) for value in texts)
        and all(isinstance(value, str | int | float) for value in values)
        and all(set(row) <= {*CURATED_COLUMNS} for row in clips)
        and all({"start_s", "end_s"} <= set(row) <= {*REJECTED_COLUMNS} for row in rejected)
    )


def curate_video(job: CurationJob) -> dict[str, Any]:
    """Curate one video, and return its record, which is written last."""
    with one_torch_thread(), keeping(job.out_dir):
        _remove_clips(job)
        has_audio = read_video_info(job.video).has_audio
        with StreamedAudio(job.video) if has_audio else nullcontext() as audio:
            record = _curate(job, audio)
        with replacing(job.record_path) as temporary:
            temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
    shutil.rmtree(job.scan_dir)
    return record


def _remove_clips(job: CurationJob) -> None:
    """Remove the clips of an earlier run."""
    if job.record_path.is_file():
        for row in job.read_record()["clips"]:
            for suffix in (".npz", ".wav"):
                (job.out_dir / f"{row['name']}{suffix}").unlink(missing_ok=True)
        job.record_path.unlink()


def _curate(job: CurationJob, audio: StreamedAudio | None) -> dict[str, Any]:
    """Write the clips of a video, and return its record."""
    scan = scan_video(job.video, job.scan_dir, job.rules.scenes, job.rules.face)
    faces = scan.faces()
    cues, shift_ms = None, 0.0
    if audio is not None:
        if job.rules.speaker.fix_sync:
            shift_ms = _video_offset_ms(faces, expected_mouth(audio, scan.num_frames)[:, 0])
        cues = audio_cues(audio, scan.num_frames, job.rules.laughter, job.laughs, shift_ms / 1000)
    selection = select_spans(faces, scan.num_frames, cues, job.rules)
    offsets_ms = _clip_offsets_ms(selection.kept, faces, cues)
    rejected = [_rejected_row(job, row.face, row.rejection) for row in selection.rejected]
    head = load_head(job.head)
    clips: list[dict[str, Any]] = []
    for kept, offset_ms in zip(selection.kept, offsets_ms, strict=True):
        motion = _fit(job, scan, kept, head)
        error, limit = mean_fit_error(motion), job.rules.fit.max_error
        if error > limit:
            rejected.append(_rejected_row(job, kept.face, Rejection(kept.span, "poor fit", error, limit)))
            continue
        name = f"{job.name}_{len(clips) + 1:03d}"
        moved_ms = shift_ms + offset_ms if job.rules.speaker.fix_sync else 0.0
        if audio is not None:
            write_wav(job.out_dir / f"{name}.wav", audio_of(audio, kept.span, moved_ms / 1000))
        write_motion(job.out_dir / f"{name}.npz", motion)
        clips.append(_clip_row(job, name, kept, motion, audio is not None))
        if kept.span.length >= WHOLE * scan.num_frames:
            clips[-1]["text"] = job.note.get("text", "")
        if audio is not None and job.rules.speaker.check:
            clips[-1] |= {"av_offset_ms": round(shift_ms + offset_ms - moved_ms), "av_shift_ms": round(moved_ms)}
    rejected.sort(key=lambda row: row["start_s"])
    duration_s = round(scan.num_frames / FPS, 3)
    return {**job.made_with(), "duration_s": duration_s, "clips": clips, "rejected": rejected}


def _video_offset_ms(faces: Sequence[MeasuredFace], expected: Float[Tensor, " frames"]) -> float:
    """How much later than the audio the mouths of a video move: that of the face which follows the voice best."""
    found = [_offset(face, expected, face.span) for face in faces]
    certain = [estimate for estimate in found if estimate is not None and estimate.is_certain]
    return max(certain, key=lambda estimate: estimate.corr).ms if certain else 0.0


def _clip_offsets_ms(kept: Sequence[KeptSpan], faces: Sequence[MeasuredFace], cues: AudioCues | None) -> list[float]:
    """How much later than the audio the mouth of each clip moves; the clips of a video support each other."""
    if cues is None:
        return [0.0] * len(kept)
    by_number = {face.number: face for face in faces}
    return pooled_offsets_ms([_offset(by_number[row.face], cues.expected_mouth, row.span) for row in kept])


def _offset(face: MeasuredFace, expected: Float[Tensor, " frames"], span: Span) -> AvOffset | None:
    return mouth_offset(face.mouth[span.start : span.stop], expected[span.start : span.stop])


def _fit(job: CurationJob, scan: VideoScan, kept: KeptSpan, head: HeadModel) -> Motion:
    start_s, end_s = kept.span.start / FPS, kept.span.stop / FPS
    points, times = scan.points(kept.face, start_s, end_s)
    motion = fit_detections(
        Detections(points, times, scan.image_size, scan.fps, turn=scan.turn),
        head,
        source=str(job.video),
        notes={"command": "fit --curate", "start_s": start_s, "end_s": end_s},
    )
    return motion.cut(0, kept.span.length)


def _clip_row(job: CurationJob, name: str, kept: KeptSpan, motion: Motion, has_audio: bool) -> dict[str, Any]:
    """The clip's row of the manifest, with `CURATED_COLUMNS`."""
    checked = not math.isnan(kept.av_corr)
    laughs = kept.laughter_s >= job.rules.laughter.label_s
    return {
        **manifest_row(name, job.video, motion, has_audio),
        "speaker": job.note.get("speaker", ""),
        "label": job.note.get("label", "") or ("laughing" if laughs else ""),
        "av_corr": round(kept.av_corr, 3) if checked else "",
        "av_lag_ms": round(1000 * kept.av_lag_s) if checked else "",
        **_times(kept.span),
        "face": kept.face,
        "laughter_s": round(kept.laughter_s, 3),
    }


def _rejected_row(job: CurationJob, face: int | None, rejection: Rejection) -> dict[str, Any]:
    """A row of the table of rejections, with `REJECTED_COLUMNS`."""
    return {
        "source": str(job.video),
        **_times(rejection.span),
        "face": "" if face is None else face,
        "reason": rejection.reason,
        "value": round(rejection.value, 3) if math.isfinite(rejection.value) else "",
        "threshold": round(rejection.threshold, 3),
    }


def _times(span: Span) -> dict[str, float]:
    return {"start_s": round(span.start / FPS, 3), "end_s": round(span.stop / FPS, 3)}
