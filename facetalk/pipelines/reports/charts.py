"""Curves, bars and timelines as inline SVG; they stretch to the width that the page gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 600, 40
_MOST_POINTS = 240
"""A curve of more rows is drawn as the lowest and the highest value of each stretch, so that no peak is lost."""


@dataclass(frozen=True)
class TimelineItem:
    """One stretch of a video."""

    start_s: float
    end_s: float
    row: int
    """Which line it is drawn on: one for each face."""
    kind: str
    """A CSS class."""
    title: str
    """What it is, for whoever points at it or listens."""


def curve(values: Sequence[float], low: float, high: float, label: str, limit: float | None = None) -> str:
    """One curve over time; holes where values are not numbers.

    Args:
        values: evenly spaced in time.
        low: value at the lower edge.
        high: value at the upper edge.
        label: what is shown, told to screen readers together with the range.
        limit: drawn as a dashed line.
    """
    spread = max(high - low, 1e-9)

    def height(value: float) -> float:
        return _HEIGHT - 1 - (min(max(value, low), high) - low) / spread * (_HEIGHT - 2)

    parts = []
    for run in _unbroken(thin(values)):
        points = " ".join(f"{x * _WIDTH:.1f},{height(value):.1f}" for x, value in run)
        parts.append(f'<polyline points="{points}"/>')
    if limit is not None and low <= limit <= high:
        parts.append(f'<line class="limit" x1="0" x2="{_WIDTH}" y1="{height(limit):.1f}" y2="{height(limit):.1f}"/>')
    known = [value for value in values if math.isfinite(value)]
    told = f"{label}: {min(known):.3g} to {max(known):.3g}, mean {sum(known) / len(known):.3g}" if known else label
    return (
        f'<svg class="curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(told)}">{"".join(parts)}</svg>'
    )


def thin(values: Sequence[float]) -> list[tuple[float, float]]:
    """Places (0 to 1) and values of a curve, at most about `_MOST_POINTS`, with every peak kept."""
    last = max(1, len(values) - 1)
    if len(values) <= _MOST_POINTS:
        return [(index / last, value) for index, value in enumerate(values)]
    kept = []
    stretches = _MOST_POINTS // 2
    for stretch in range(stretches):
        first, stop = (len(values) * edge // stretches for edge in (stretch, stretch + 1))
        piece = range(first, stop)
        if any(not math.isfinite(values[index]) for index in piece):
            kept.append((first / last, math.nan))
            continue
        ends = {min(piece, key=values.__getitem__), max(piece, key=values.__getitem__)}
        kept += [(index / last, values[index]) for index in sorted(ends)]
    return kept


def histogram(values: Sequence[float], label: str, bins: int = 24) -> str:
    """Bars that say how many values lie where, from 0 to the largest."""
    top = max(values, default=0.0) or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(value / top * bins))] += 1
    most = max(counts) or 1
    width = _WIDTH / bins
    bars = "".join(
        f'<rect x="{index * width + 1:.1f}" width="{width - 2:.1f}" y="{_HEIGHT * (1 - count / most):.1f}" '
        f'height="{_HEIGHT * count / most:.1f}"><title>{index * top / bins:.4f} to {(index + 1) * top / bins:.4f}: '
        f"{count}</title></rect>"
        for index, count in enumerate(counts)
    )
    return (
        f'<svg class="bars" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{bars}</svg>'
    )


def timeline(items: Sequence[TimelineItem], duration_s: float, label: str) -> str:
    """Stretches of a video in lines, one for each face."""
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
