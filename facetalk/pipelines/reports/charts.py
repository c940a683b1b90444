"""Curves, histograms and timelines as inline SVG; they stretch to the width of their container."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 600, 40
_MAX_POINTS = 240
"""Longer curves are drawn as the lowest and highest value of each part, so that no peak is lost."""


@dataclass(frozen=True)
class TimelineItem:
    """One span of a video."""

    start_s: float
    end_s: float
    row: int
    """Row of the chart, one for each face."""
    kind: str
    """A CSS class."""
    title: str
    """Tooltip, also for screen readers."""


def curve(values: Sequence[float], low: float, high: float, label: str, limit: float | None = None) -> str:
    """One curve over time, with gaps where values are NaN.

    Args:
        values: evenly spaced in time.
        low: value at the lower edge.
        high: value at the upper edge.
        label: description for screen readers; the range is added.
        limit: shown as a dashed line.
    """
    known = [value for value in values if math.isfinite(value)]
    description = (
        f"{label}: {min(known):.3g} to {max(known):.3g}, mean {sum(known) / len(known):.3g}" if known else label
    )
    return polyline(thin(values), low, high, description, limit)


def polyline(
    points: Sequence[tuple[float, float]], low: float, high: float, description: str, limit: float | None = None
) -> str:
    """One curve through positions (0 to 1) and values, with gaps where values are NaN; see `curve`."""
    spread = max(high - low, 1e-9)

    def height(value: float) -> float:
        return _HEIGHT - 1 - (min(max(value, low), high) - low) / spread * (_HEIGHT - 2)

    parts = []
    for run in _unbroken(points):
        line = " ".join(f"{x * _WIDTH:.1f},{height(value):.1f}" for x, value in run)
        parts.append(f'<polyline points="{line}"/>')
    if limit is not None and low <= limit <= high:
        parts.append(f'<line class="limit" x1="0" x2="{_WIDTH}" y1="{height(limit):.1f}" y2="{height(limit):.1f}"/>')
    return (
        f'<svg class="curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(description)}">{"".join(parts)}</svg>'
    )


def thin(values: Sequence[float]) -> list[tuple[float, float]]:
    """Positions (0 to 1) and values of a curve, at most about `_MAX_POINTS`, with every peak kept."""
    last = max(1, len(values) - 1)
    if len(values) <= _MAX_POINTS:
        return [(index / last, value) for index, value in enumerate(values)]
    kept = []
    num_parts = _MAX_POINTS // 2
    for part in range(num_parts):
        first, stop = (len(values) * edge // num_parts for edge in (part, part + 1))
        piece = range(first, stop)
        if any(not math.isfinite(values[index]) for index in piece):
            kept.append((first / last, math.nan))
            continue
        ends = {min(piece, key=values.__getitem__), max(piece, key=values.__getitem__)}
        kept += [(index / last, values[index]) for index in sorted(ends)]
    return kept


def histogram(values: Sequence[float], label: str, bins: int = 24) -> str:
    """Bars that show the distribution of values from 0 to the largest."""
    top = max(values, default=0.0) or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(value / top * bins))] += 1
    highest = max(counts) or 1
    width = _WIDTH / bins
    bars = "".join(
        f'<rect x="{index * width + 1:.1f}" width="{width - 2:.1f}" y="{_HEIGHT * (1 - count / highest):.1f}" '
        f'height="{_HEIGHT * count / highest:.1f}"><title>{index * top / bins:.4f} to {(index + 1) * top / bins:.4f}: '
        f"{count}</title></rect>"
        for index, count in enumerate(counts)
    )
    return (
        f'<svg class="bars" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{bars}</svg>'
    )


def timeline(items: Sequence[TimelineItem], duration_s: float, label: str) -> str:
    """Spans of a video in rows, one for each face."""
    rows = max((item.row for item in items), default=0) + 1
    scale = _WIDTH / max(duration_s, 1e-9)
    boxes = "".join(
        f'<rect class="{item.kind}" x="{item.start_s * scale:.2f}" y="{item.row * 14 + 1}" '
        f'width="{max(0.8, (item.end_s - item.start_s) * scale - 0.4):.2f}" height="12">'
        f"<title>{escape(item.title)}</title></rect>"
        for item in items
    )
    return (
        f'<svg class="timeline" style="height:{rows * 18}px" viewBox="0 0 {_WIDTH} {rows * 14}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(label)}">{boxes}</svg>'
    )


def _unbroken(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for x, value in points:
        if math.isfinite(value):
            runs[-1].append((x, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]
