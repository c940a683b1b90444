"""A dataset folder, or one motion file, -> report.html."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from facetalk.core.camera import Camera
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.progress import Progress, no_progress
from facetalk.core.version import __version__
from facetalk.head.model import HeadModel
from facetalk.io.files import replacing
from facetalk.io.heads import read_head
from facetalk.io.images import read_image
from facetalk.io.motion import read_motion
from facetalk.motion.appearance import head_surface
from facetalk.motion.frames import make_renderer, posed
from facetalk.motion.retarget import to_arkit
from facetalk.pipelines.fit import MANIFEST, REJECTED
from facetalk.pipelines.reports.page import ClipReport, Picture, RejectedSpan, Report, render_page
from facetalk.rendering.camera import project, resized_camera

NUM_PICTURES = 5
PICTURE_SIDE = 128
"""Pixels."""

CURVES = {
    "jawOpen": ("jawOpen",),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "brow up": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
}
"""What is shown of a motion: means of ARKit's channels."""

_SHOWN_REGIONS = ("upper_face", "lips")
"""The pictures are cut to these parts of the face, with half as much around."""


def write_report(
    out_dir: Path | str, *, head: HeadModel | str | None = None, pictures: bool = True, progress: Progress = no_progress
) -> Path:
    """Write `report.html` into a dataset folder of `facetalk fit` and return its path.

    Args:
        out_dir: the folder.
        head: the head that the motions were fitted with; needed where its name alone does not find it.
        pictures: show some moments of each clip, original beside render.
        progress: told the number of clips done.
    """
    out_dir = Path(out_dir)
    rows = _read_rows(out_dir / MANIFEST)
    if not rows and not (out_dir / MANIFEST).is_file():
        raise FacetalkError(f"{out_dir} is not a dataset: it has no {MANIFEST}; make one with facetalk fit VIDEO... -o")
    artist = _Artist(head)
    clips = []
    for done, row in enumerate(rows, 1):
        motion = read_motion(out_dir / f"{row['name']}.npz")
        clips.append(_clip_report(row["name"], motion, _facts(row, motion), artist, pictures))
        progress("writing the report", done, len(rows))
    spans: dict[str, list[tuple[float, float, str, str]]] = {}
    for row in rows:
        if row.get("start_s"):
            entry = (float(row["start_s"]), float(row["end_s"]), row["face"], row["name"])
            spans.setdefault(row["source"], []).append(entry)
    rejected = [_rejected(row) for row in _read_rows(out_dir / REJECTED)]
    report = Report(
        title=f"Fit of {out_dir.absolute().name}",
        clips=clips,
        rejected=rejected,
        spans=spans,
        made_by=f"facetalk {__version__}",
    )
    return _write(out_dir / "report.html", report)


def write_clip_report(motion_path: Path | str, *, head: HeadModel | str | None = None) -> Path:
    """Write `NAME_report.html` beside one motion file and return its path."""
    motion_path = Path(motion_path)
    motion = read_motion(motion_path)
    clip = _clip_report(motion_path.stem, motion, _facts({}, motion), _Artist(head), True)
    report = Report(title=f"Fit of {motion_path.stem}", clips=[clip], made_by=f"facetalk {__version__}")
    return _write(motion_path.with_name(f"{motion_path.stem}_report.html"), report)


class _Artist:
    """Takes and renders the moments of clips; heads are loaded once."""

    def __init__(self, head: HeadModel | str | None) -> None:
        given = HeadModel(read_head(head)) if isinstance(head, str) else head
        self._heads: dict[str, HeadModel] = {} if given is None else {given.name: given}

    def pictures(self, motion: Motion) -> list[Picture]:
        """Some moments of a clip, cut to the face."""
        head = self.head_of(motion)
        assert motion.camera is not None
        frames = np.linspace(0, motion.num_frames - 1, NUM_PICTURES + 2).round().astype(int)[1:-1]
        places = [next(iter(posed(head, motion.cut(frame, frame + 1)))) for frame in dict.fromkeys(frames.tolist())]
        seen = torch.stack([project(torch.from_numpy(place), motion.camera) for place in places])
        shown = torch.cat([head.points.regions[name] for name in _SHOWN_REGIONS])
        box = _square(seen[:, shown].numpy())
        scale = PICTURE_SIDE / (box[2] - box[0])
        camera = _scaled(motion.camera, scale)
        renderer = make_renderer("cpu", head_surface(head.assets), camera)
        renderer.prepare(places[0])
        start_s = float(motion.meta.get("start_s", 0.0))
        moments = []
        for frame, place in zip(dict.fromkeys(frames.tolist()), places, strict=True):
            time_s = frame / motion.fps
            original = None
            if Path(motion.source).is_file():
                original = _cut(read_image(motion.source, start_s + time_s, camera.image_size), box, scale)
            moments.append(Picture(time_s, original, _cut(renderer.render(place), box, scale)))
        return moments

    def head_of(self, motion: Motion) -> HeadModel:
        """The head of a motion."""
        if motion.head not in self._heads:
            self._heads[motion.head] = HeadModel(read_head(motion.head))
        return self._heads[motion.head]


def _clip_report(name: str, motion: Motion, facts: Mapping[str, str], artist: _Artist, pictures: bool) -> ClipReport:
    note = ""
    if not Path(motion.source).is_file():
        note = f"The source {motion.source or 'video'} is not there, so only renders are shown."
    return ClipReport(
        name=name,
        source=motion.source,
        facts=facts,
        duration_s=motion.duration_s,
        fit_error=[] if motion.fit_error is None else motion.fit_error.tolist(),
        confidence=[] if motion.confidence is None else motion.confidence.tolist(),
        curves=_curves(motion, artist.head_of(motion)),
        pictures=artist.pictures(motion) if pictures and motion.camera is not None else (),
        note=note,
    )


def _curves(motion: Motion, head: HeadModel) -> dict[str, list[float]]:
    """The shown channels; a motion of a head with other ones is read as ARKit's."""
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
        facts["from"] = f"{float(row['start_s']):.2f} to {float(row['end_s']):.2f} s"
    facts |= {
        "speaker": row.get("speaker", ""),
        "label": row.get("label", ""),
        "length": f"{motion.duration_s:.2f} s",
        "source rate": f"{motion.source_fps:.4g} fps" if motion.source_fps else "",
        "fit error": "" if motion.fit_error is None else f"{float(motion.fit_error.nanmean()):.4f}",
        "face seen": "" if seen is None else f"{100 * float((seen > 0).float().mean()):.0f} %",
        "confidence": "" if seen is None else f"{float(seen.mean()):.2f}",
        "mouth follows voice": row.get("av_corr", ""),
        "lag": f"{row['av_lag_ms']} ms" if row.get("av_lag_ms") else "",
        "laughter": f"{row['laughter_s']} s" if float(row.get("laughter_s") or 0) else "",
    }
    return facts


def _rejected(row: Mapping[str, str]) -> RejectedSpan:
    start, end = row.get("start_s", ""), row.get("end_s", "")
    return RejectedSpan(
        source=row["source"],
        start_s=float(start) if start else None,
        end_s=float(end) if end else None,
        face=row.get("face", ""),
        reason=row["reason"],
        value=row.get("value", ""),
        threshold=row.get("threshold", ""),
    )


def _square(points: np.ndarray) -> tuple[int, int, int, int]:
    """A square around a face in all its moments, pixels."""
    flat = points.reshape(-1, 2)
    low, high = flat.min(0), flat.max(0)
    side = 1.5 * float((high - low).max())
    left, top = (low + high) / 2 - side / 2
    return math.floor(left), math.floor(top), math.floor(left) + math.ceil(side), math.floor(top) + math.ceil(side)


def _scaled(camera: Camera, scale: float) -> Camera:
    width, height = camera.image_size
    return resized_camera(camera, (max(2, round(width * scale)), max(2, round(height * scale))))


def _cut(
    image: UInt8[np.ndarray, "height width 3"], box: Sequence[int], scale: float
) -> UInt8[np.ndarray, "side side 3"]:
    """The part of a picture inside a box that was measured before scaling; black outside the picture."""
    left, top = (round(edge * scale) for edge in box[:2])
    return np.asarray(Image.fromarray(image).crop((left, top, left + PICTURE_SIDE, top + PICTURE_SIDE)))


def _read_rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, report: Report) -> Path:
    with replacing(path) as temporary:
        temporary.write_text(render_page(report), encoding="utf-8")
    return path
