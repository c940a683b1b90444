"""A dataset folder, or one motion file -> an HTML report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.text_values import parse_number
from facetalk.core.version import __version__
from facetalk.data.manifest import MANIFEST, REJECTED, read_rows
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing
from facetalk.io.motion import read_motion
from facetalk.metrics.fit_quality import face_frames_ratio, mean_fit_error
from facetalk.motion.heads import load_head
from facetalk.motion.retarget import to_arkit
from facetalk.pipelines.reports.page import ClipReport, RejectedSpan, Report, render_page
from facetalk.pipelines.reports.snapshots import snapshots

CURVES = {
    "jawOpen": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "brow up": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
}
"""Curves of a clip: means of ARKit channels."""


def write_report(
    out_dir: Path | str,
    *,
    videos: Sequence[Path | str] = (),
    head: HeadModel | str | None = None,
    images: bool = True,
    progress: Progress = no_progress,
) -> Path:
    """Write `report.html` into a dataset folder of `facetalk fit` and return its path.

    Args:
        out_dir: the folder.
        videos: videos, and folders of videos, whose frames the report may contain. A motion file names its source, but
            whoever wrote it may have named any video of this computer.
        head: the head of the motions, where its name alone does not find it.
        images: show some frames of each clip, the original next to the render.
        progress: called with the number of clips done.
    """
    out_dir = Path(out_dir)
    if not (out_dir / MANIFEST).is_file():
        raise FacetalkError(f"{out_dir} is not a dataset: it has no {MANIFEST}; make one with facetalk fit VIDEO... -o")
    rows, heads, shown = read_rows(out_dir / MANIFEST), _Heads(head), _Shown(videos)
    clips = []
    for done, row in enumerate(rows, 1):
        motion = read_motion(out_dir / f"{row['name']}.npz")
        clips.append(_clip_report(row["name"], motion, _facts(row, motion), heads, shown if images else None))
        progress("writing the report", done, len(rows))
    spans: dict[str, list[tuple[float, float, str, str]]] = {}
    for row in rows:
        if row.get("start_s"):
            start_s, end_s = (_number(row, column) or 0.0 for column in ("start_s", "end_s"))
            entry = (start_s, end_s, row.get("face", ""), row["name"])
            spans.setdefault(row.get("source", ""), []).append(entry)
    report = Report(
        title=f"Fit of {out_dir.absolute().name}",
        clips=clips,
        rejected=[_rejected(row) for row in read_rows(out_dir / REJECTED)],
        spans=spans,
        made_by=f"facetalk {__version__}",
    )
    return _write(out_dir / "report.html", report)


def write_clip_report(
    motion_path: Path | str, *, videos: Sequence[Path | str] = (), head: HeadModel | str | None = None
) -> Path:
    """Write `NAME_report.html` next to a motion file and return its path; `videos` and `head` as for `write_report`."""
    motion_path = Path(motion_path)
    motion = read_motion(motion_path)
    clip = _clip_report(motion_path.stem, motion, _facts({}, motion), _Heads(head), _Shown(videos))
    report = Report(title=f"Fit of {motion_path.stem}", clips=[clip], made_by=f"facetalk {__version__}")
    return _write(motion_path.with_name(f"{motion_path.stem}_report.html"), report)


class _Shown:
    """The videos whose frames a report may contain."""

    def __init__(self, videos: Sequence[Path | str]) -> None:
        self._named = {Path(video).resolve() for video in videos}

    def __contains__(self, source: str) -> bool:
        path = Path(source).resolve()
        return bool(source) and path.is_file() and bool(self._named & {path, *path.parents})


class _Heads:
    """The heads of motions, each loaded once."""

    def __init__(self, head: HeadModel | str | None) -> None:
        given = load_head(head) if isinstance(head, str) else head
        self._heads: dict[str, HeadModel] = {} if given is None else {given.name: given}

    def of(self, motion: Motion) -> HeadModel:
        """The head of a motion."""
        if motion.head not in self._heads:
            self._heads[motion.head] = load_head(motion.head)
        return self._heads[motion.head]


def _clip_report(
    name: str, motion: Motion, facts: Mapping[str, str], heads: _Heads, shown: _Shown | None
) -> ClipReport:
    head, note = heads.of(motion), ""
    with_original = shown is not None and motion.source in shown
    if shown is not None and not with_original:
        why = "was not named in the command" if Path(motion.source).is_file() else "does not exist"
        note = f"The source {motion.source or 'video'} {why}, so only renders are shown."
    return ClipReport(
        name=name,
        source=motion.source,
        facts=facts,
        duration_s=motion.duration_s,
        mean_error=mean_fit_error(motion),
        fit_error=[] if motion.fit_error is None else motion.fit_error.tolist(),
        confidence=[] if motion.confidence is None else motion.confidence.tolist(),
        curves=_curves(motion, head),
        snapshots=() if shown is None or motion.camera is None else snapshots(motion, head, with_original),
        note=note,
    )


def _curves(motion: Motion, head: HeadModel) -> dict[str, list[float]]:
    """The curves of a clip; a motion without ARKit channels is retargeted first."""
    if "jawOpen" not in motion.expression_names:
        motion = to_arkit(motion, head)
    shown = {}
    for name, channels in CURVES.items():
        known = [motion.channel(channel) for channel in channels if channel in motion.expression_names]
        if known:
            shown[name] = torch.stack(known).mean(0).tolist()
    return shown


def _facts(row: Mapping[str, str], motion: Motion) -> dict[str, str]:
    seen = motion.confidence
    facts = {"source": row.get("source") or motion.source}
    if row.get("start_s"):
        facts["from"] = f"{_number(row, 'start_s'):.2f} to {_number(row, 'end_s') or 0:.2f} s"
    return facts | {
        "speaker": row.get("speaker", ""),
        "label": row.get("label", ""),
        "length": f"{motion.duration_s:.2f} s",
        "source rate": f"{motion.source_fps:.4g} fps" if motion.source_fps else "",
        "fit error": "" if motion.fit_error is None else f"{mean_fit_error(motion):.4f}",
        "face seen": "" if seen is None else f"{100 * face_frames_ratio(motion):.0f} %",
        "confidence": "" if seen is None else f"{float(seen.mean()):.2f}",
        "mouth follows voice": row.get("av_corr", ""),
        "lag": f"{row['av_lag_ms']} ms" if row.get("av_lag_ms") else "",
        "mouth later than audio": f"{row['av_offset_ms']} ms" if row.get("av_offset_ms") else "",
        "laughter": f"{row['laughter_s']} s" if _number(row, "laughter_s") else "",
    }


def _rejected(row: Mapping[str, str]) -> RejectedSpan:
    return RejectedSpan(
        source=row.get("source", ""),
        start_s=_number(row, "start_s"),
        end_s=_number(row, "end_s"),
        face=row.get("face", ""),
        reason=row.get("reason", ""),
        value=row.get("value", ""),
        threshold=row.get("threshold", ""),
    )


def _number(row: Mapping[str, str], column: str) -> float | None:
    """The number in a column of a table; None where it is empty or missing."""
    text = row.get(column, "")
    return parse_number(text, f"{column} of {row.get('name') or row.get('source') or 'a row'}") if text else None


def _write(path: Path, report: Report) -> Path:
    with replacing(path) as temporary:
        temporary.write_text(render_page(report), encoding="utf-8", errors="replace")  # names of files may be bytes
    return path
