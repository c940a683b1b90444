"""Figures of clips and systems -> an HTML page with the course of each figure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from facetalk.core.version import __version__
from facetalk.pipelines.reports.charts import curve
from facetalk.pipelines.reports.html import document

if TYPE_CHECKING:
    from facetalk.pipelines.evaluation.results import Curves, SystemFigures

REFERENCE = "_reference"
"""Part of the names of figures that describe the reference alone."""

MOST_CARDS = 200
"""Clips whose curves are shown: those of more would make the page too large to open."""


def evaluation_page(systems: Mapping[str, SystemFigures]) -> str:
    """A page with the means of each system, and a card with figures and curves for each clip.

    Args:
        systems: by name, the prediction first.
    """
    first = next(iter(systems.values()))
    title = f"{len(first.pairs)} clips compared" if len(first.pairs) != 1 else f"{next(iter(first.pairs))} compared"
    clips = list(first.pairs)[:MOST_CARDS]
    left = len(first.pairs) - len(clips)
    cards = "".join(_card(clip, systems) for clip in clips)
    more = f'<p class="note">{left} further clips are not shown.</p>' if left else ""
    body = (
        f"<header><h1>{escape(title)}</h1></header><section><h2>Means</h2>{_means(systems)}</section>"
        f'<section><h2>Clips</h2><div id="clips">{cards}</div>{more}</section>'
        f"<footer>Made by facetalk {escape(__version__)}. In brackets: 95 % bootstrap intervals over the clips. iod: "
        "interocular distances.</footer>"
    )
    return document(title, body, "report")


def _means(systems: Mapping[str, SystemFigures]) -> str:
    names = dict.fromkeys(name for system in systems.values() for name in system.names)
    head = "".join(f"<th>{escape(system)}</th>" for system in systems)
    rows = []
    for name in names:
        cells = "".join(f"<td>{_mean(system, name)}</td>" for system in systems.values())
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    return f"<table><thead><tr><th>figure</th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _mean(system: SystemFigures, name: str) -> str:
    interval = system.intervals.get(name)
    spread = "" if interval is None else f" <small>[{_number(interval[0])}, {_number(interval[1])}]</small>"
    return _number(system.mean.get(name, math.nan)) + spread


def _card(clip: str, systems: Mapping[str, SystemFigures]) -> str:
    rows, duration_s = [], 0.0
    found = {name: system.curves[clip] for name, system in systems.items() if clip in system.curves}
    for figure in dict.fromkeys(figure for curves in found.values() for figure in curves.values):
        ends = _range(figure, found)
        shown = {system: curves for system, curves in found.items() if figure in curves.values}
        if REFERENCE in figure:  # the same for all systems
            shown = dict([next(iter(shown.items()))])
        for system, curves in shown.items():
            values = curves.values[figure].tolist()
            duration_s = max(duration_s, len(values) / curves.fps)
            label = figure if len(found) == 1 or REFERENCE in figure else f"{figure}, {system}"
            rows.append(_row(label, ends, curve(values, *ends, label)))
    if rows:
        rows.append(f'<div class="row axis"><span></span><span>0 s</span><span>{duration_s:.1f} s</span></div>')
    figures = next(iter(systems.values())).pairs[clip]
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{_number(value)}</dd></div>" for name, value in figures.items())
    return (
        f'<article data-text="{escape(clip.lower())}"><h3>{escape(clip)}</h3><dl class="facts">{facts}</dl>'
        f'<div class="charts wide">{"".join(rows)}</div></article>'
    )


def _range(figure: str, found: Mapping[str, Curves]) -> tuple[float, float]:
    """Lowest and highest value of a figure, so that systems share a scale; from 0 where nothing is negative."""
    values = [value for curves in found.values() if figure in curves.values for value in curves.values[figure].tolist()]
    values = [value for value in values if math.isfinite(value)] or [0.0]
    return min(0.0, *values), max(values)


def _row(name: str, ends: tuple[float, float], svg: str) -> str:
    scale = f"{ends[0]:.3g} – {ends[1]:.3g}"
    return f'<div class="row"><span>{escape(name)}<small>{escape(scale)}</small></span>{svg}</div>'


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "–"
