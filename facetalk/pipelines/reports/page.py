"""The report on fitted clips as an HTML page."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from facetalk.pipelines.reports.charts import TimelineItem, curve, histogram, timeline
from facetalk.pipelines.reports.html import document
from facetalk.tracking.settings import HALF_CONFIDENCE_ERROR

_NUM_COLORS = 8
"""Colors of reasons in the style sheet."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One frame of a clip."""

    time_s: float
    original: UInt8[np.ndarray, "height width 3"] | None
    """None where the source video does not exist."""
    render: UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True, eq=False)
class ClipReport:
    """Content of the page for one clip."""

    name: str
    source: str
    facts: Mapping[str, str]
    """Shown in the order given."""
    duration_s: float
    mean_error: float
    fit_error: Sequence[float]
    confidence: Sequence[float]
    curves: Mapping[str, Sequence[float]]
    """Channels from 0 to 1, by label."""
    snapshots: Sequence[Snapshot] = ()
    note: str = ""
    """Explanation of what could not be shown."""


@dataclass(frozen=True)
class RejectedSpan:
    """A rejected span of a video, or without times a failed video."""

    source: str
    start_s: float | None
    end_s: float | None
    face: str
    reason: str
    value: str
    threshold: str


@dataclass(frozen=True, eq=False)
class Report:
    """Everything on the page."""

    title: str
    clips: Sequence[ClipReport]
    rejected: Sequence[RejectedSpan] = ()
    spans: Mapping[str, Sequence[tuple[float, float, str, str]]] = field(default_factory=dict)
    """Start, end, face and name of the kept clips of each curated video."""
    error_limit: float = HALF_CONFIDENCE_ERROR
    """Shown as a line in the charts of the fit error."""
    made_by: str = "facetalk"


def render_page(report: Report) -> str:
    """The page of a report."""
    reasons = [reason for reason, _ in Counter(span.reason for span in report.rejected).most_common()]
    colors = {reason: f"r{index % _NUM_COLORS}" for index, reason in enumerate(reasons)}
    body = "".join(
        (
            f"<header><h1>{escape(report.title)}</h1>{_summary(report)}</header>",
            _sources(report, colors),
            _clips(report),
            f"<footer>Made by {escape(report.made_by)}. Errors are mean landmark distances in interocular units."
            "</footer>",
        )
    )
    return document(report.title, body, "report")


def _summary(report: Report) -> str:
    kept_s = sum(clip.duration_s for clip in report.clips)
    dropped_s = sum(span.end_s - (span.start_s or 0) for span in report.rejected if span.end_s is not None)
    failed = sum(span.end_s is None for span in report.rejected)
    errors = [clip.mean_error for clip in report.clips]
    tiles = {"clips": str(len(report.clips)), "kept": _minutes(kept_s)}
    if report.spans:
        tiles["rejected"] = _minutes(dropped_s)
    if failed:
        tiles["failed"] = str(failed)
    if errors:
        tiles |= {"mean error": f"{sum(errors) / len(errors):.4f}", "largest": f"{max(errors):.4f}"}
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles.items())
    chart = ""
    if len(errors) > 2:
        chart = (
            f"<figure><figcaption>Clips by mean fit error, 0 to {max(errors):.4f}</figcaption>"
            f"{histogram(errors, f'{len(errors)} clips by mean fit error')}</figure>"
        )
    return f'<dl class="tiles">{cells}</dl>{chart}'


def _sources(report: Report, colors: Mapping[str, str]) -> str:
    """Timelines of curated videos, and tables of what was rejected."""
    if not report.rejected and not report.spans:
        return ""
    legend = "".join(
        f'<li><span class="swatch {color}"></span>{escape(reason)}</li>' for reason, color in colors.items()
    )
    parts = ["<section><h2>What was kept and what was rejected</h2>"]
    if report.spans:
        parts.append(f'<ul class="legend"><li><span class="swatch kept"></span>kept</li>{legend}</ul>')
    for source in dict.fromkeys([*report.spans, *(span.source for span in report.rejected)]):
        parts.append(_source(source, report, colors))
    return "".join([*parts, "</section>"])


def _source(source: str, report: Report, colors: Mapping[str, str]) -> str:
    kept = report.spans.get(source, ())
    spans = [span for span in report.rejected if span.source == source]
    timed = [(span.start_s, span.end_s, span) for span in spans if span.start_s is not None and span.end_s is not None]
    rows = _share_rows([(s, e, face) for s, e, face, _ in kept] + [(s, e, span.face) for s, e, span in timed])
    items = [TimelineItem(s, e, rows[face], "kept", f"{name}: {s:.2f} to {e:.2f} s") for s, e, face, name in kept]
    items += [
        TimelineItem(s, e, rows[span.face], colors[span.reason], f"{span.reason}: {s:.2f} to {e:.2f} s")
        for s, e, span in timed
    ]
    end_s = max((item.end_s for item in items), default=0.0)
    label = f"{source}: {len(kept)} clips kept, {len(timed)} spans rejected of {end_s:.1f} s"
    chart = timeline(items, end_s, label) if items else ""
    table = "".join(
        f"<tr><td>{_seconds(span.start_s)}</td><td>{_seconds(span.end_s)}</td><td>{escape(span.face)}</td>"
        f'<td><span class="swatch {colors[span.reason]}"></span>{escape(span.reason)}</td>'
        f"<td>{escape(span.value)}</td><td>{escape(span.threshold)}</td></tr>"
        for span in spans
    )
    details = (
        f"<details><summary>{len(spans)} rejected</summary><table><thead><tr><th>from, s</th><th>to, s</th>"
        "<th>face</th><th>reason</th><th>value</th><th>threshold</th></tr></thead>"
        f"<tbody>{table}</tbody></table></details>"
        if spans
        else ""
    )
    return f'<div class="source"><h3>{escape(source)}</h3>{chart}{details}</div>'


def _share_rows(spans: Sequence[tuple[float, float, str]]) -> dict[str, int]:
    """A row for each face; faces that are never visible at the same time share one."""
    taken: list[list[tuple[float, float]]] = []
    rows: dict[str, int] = {}
    for face in dict.fromkeys(face for *_, face in sorted(spans)):
        mine = [(start, end) for start, end, name in spans if name == face]
        free = (row for row, others in enumerate(taken) if not _overlap(mine, others))
        rows[face] = next(free, len(taken))
        if rows[face] == len(taken):
            taken.append([])
        taken[rows[face]].extend(mine)
    return rows


def _overlap(first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]]) -> bool:
    return any(start < other_end - 0.05 and other_start < end - 0.05
               for start, end in first for other_start, other_end in second)  # fmt: skip


def _clips(report: Report) -> str:
    cards = "".join(_card(clip, report.error_limit) for clip in report.clips)
    controls = (
        '<form class="controls" hidden>'
        '<label>Find <input type="search" name="find" placeholder="name, speaker"></label>'
        '<label>Order <select name="order"><option value="listed">as listed</option>'
        '<option value="error">worst fit first</option>'
        '<option value="confidence">lowest confidence first</option></select></label></form>'
    )
    return f'<section><h2>Clips</h2>{controls if len(report.clips) > 1 else ""}<div id="clips">{cards}</div></section>'


def _card(clip: ClipReport, limit: float) -> str:
    known = [value for value in clip.confidence if value == value]
    mean_confidence = sum(known) / len(known) if known else 1.0
    facts = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in clip.facts.items() if v != "")
    top = max([limit * 1.2, *(value for value in clip.fit_error if value == value)])
    rows = []
    if clip.fit_error:
        rows.append(
            _chart_row("fit error", f"0 – {top:.3f}", curve(clip.fit_error, 0, top, "fit error", limit), "error")
        )
    if clip.confidence:
        rows.append(_chart_row("confidence", "0 – 1", curve(clip.confidence, 0, 1, "confidence"), "sure"))
    rows += [_chart_row(name, "0 – 1", curve(values, 0, 1, name), "") for name, values in clip.curves.items()]
    rows.append(f'<div class="row axis"><span></span><span>0 s</span><span>{clip.duration_s:.1f} s</span></div>')
    strip = "".join(_figure(snapshot) for snapshot in clip.snapshots)
    note = f'<p class="note">{escape(clip.note)}</p>' if clip.note else ""
    words = " ".join([clip.name, clip.source, *clip.facts.values()]).lower()
    return (
        f'<article data-error="{clip.mean_error:.6f}" data-confidence="{mean_confidence:.6f}" '
        f'data-text="{escape(words)}">'
        f'<h3>{escape(clip.name)}</h3><dl class="facts">{facts}</dl>{note}'
        f'<div class="strip">{strip}</div><div class="charts">{"".join(rows)}</div></article>'
    )


def _chart_row(name: str, scale: str, svg: str, kind: str) -> str:
    return f'<div class="row {kind}"><span>{escape(name)}<small>{escape(scale)}</small></span>{svg}</div>'


def _figure(snapshot: Snapshot) -> str:
    caption = f"{snapshot.time_s:.1f} s"
    first = "" if snapshot.original is None else _image(snapshot.original, f"original at {caption}")
    return (
        f"<figure>{first}{_image(snapshot.render, f'render at {caption}')}<figcaption>{caption}</figcaption></figure>"
    )


def _image(pixels: UInt8[np.ndarray, "height width 3"], text: str) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=72)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    height, width = pixels.shape[:2]
    return f'<img alt="{escape(text)}" width="{width}" height="{height}" src="data:image/jpeg;base64,{data}">'


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _minutes(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
