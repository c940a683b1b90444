"""Figures of many clips: means, how certain they are, and whether they stay within limits."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError
from facetalk.metrics.distributions import confidence_interval
from facetalk.metrics.registry import HIGHER_IS_BETTER, METRICS

Figures = Mapping[str, float]
"""By name; NaN where a clip has nothing to measure."""


@dataclass(frozen=True, eq=False)
class Curves:
    """The course of figures over one clip."""

    fps: float
    values: Mapping[str, Float[Tensor, " frames"]]


@dataclass(frozen=True, eq=False)
class SystemFigures:
    """What was found in the clips of one system."""

    pairs: Mapping[str, Figures]
    curves: Mapping[str, Curves] = field(default_factory=dict)
    seed: int = 0
    """Of the bootstrap."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all figures, in the order in which they were found."""
        return tuple(dict.fromkeys(name for figures in self.pairs.values() for name in figures))

    @cached_property
    def mean(self) -> dict[str, float]:
        """Mean of every figure over the pairs that have it."""
        return {name: float(self._values(name).nanmean()) for name in self.names}

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float] | None]:
        """Bootstrap interval of each mean, 95 %; None for a single clip."""
        return {
            name: confidence_interval(self._values(name), torch.Generator().manual_seed(self.seed))
            for name in self.names
        }

    def _values(self, name: str) -> Float[Tensor, " pairs"]:
        return torch.tensor([figures.get(name, math.nan) for figures in self.pairs.values()], dtype=torch.float64)

    def document(self) -> dict[str, object]:
        """The same for JSON, which has no NaN."""
        return {
            "mean": {name: known(value) for name, value in self.mean.items()},
            "intervals": self.intervals,
            "pairs": {clip: {name: known(value) for name, value in row.items()} for clip, row in self.pairs.items()},
        }


def known(value: float) -> float | None:
    """The value, or None if there is none."""
    return value if math.isfinite(value) else None


def beyond(mean: Figures, limits: Figures) -> dict[str, str]:
    """Which means are beyond their limits, with the reason.

    Args:
        mean: by figure.
        limits: the largest absolute values that are allowed, or the smallest of figures of which more is better.

    Raises:
        UsageError: a limit is for a figure that was not computed.
    """
    for name in limits:
        if name not in mean:
            raise UsageError(f"--tolerance names {name!r}, which was not computed; there are: {', '.join(mean)}")
    found = {}
    for name, limit in limits.items():
        value = mean[name]
        if not math.isfinite(value):
            found[name] = "has no value"
        elif name in HIGHER_IS_BETTER:
            if value < limit:
                found[name] = f"{value:.4g} is below {limit:g}"
        elif abs(value) > limit:
            found[name] = f"{value:.4g} is beyond {limit:g}"
    return found


def read_limits(texts: Sequence[str], metrics: Sequence[str]) -> dict[str, float]:
    """Limits as `FIGURE=NUMBER`, several in one text between commas.

    Args:
        texts: as given.
        metrics: those that are computed.

    Raises:
        UsageError: a text is no such thing, or its figure is none of these metrics.
    """
    limits = {}
    for text in ",".join(texts).split(",") if texts else ():
        name, separator, number = (part.strip() for part in text.partition("="))
        try:
            limit = float(number) if separator else math.nan
        except ValueError:
            limit = math.nan
        if not name or not math.isfinite(limit):
            raise UsageError(f"{text!r} is no limit; write FIGURE=NUMBER, such as lve_mm=2.5")
        _check_figure(name, metrics)
        limits[name] = limit
    return limits


def _check_figure(figure: str, metrics: Sequence[str]) -> None:
    """Refuse a figure that none of these metrics has, before any work."""
    if any(figure in METRICS[name].figures for name in metrics):
        return
    for name, entry in METRICS.items():
        if figure in entry.figures:
            raise UsageError(
                f"--tolerance names {figure!r} of the metric {name}, which is not computed: add --metric {name}"
            )
    known = ", ".join(figure for name in metrics for figure in METRICS[name].figures)
    raise UsageError(f"--tolerance names {figure[:40]!r}, which is no figure; there are: {known}")


def csv_text(systems: Mapping[str, SystemFigures]) -> str:
    """A table with a row for each clip of each system; what is not known is empty."""
    names = dict.fromkeys(name for system in systems.values() for name in system.names)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("system", "clip", *names))
    for system, found in systems.items():
        for clip, figures in found.pairs.items():
            values = [known(figures.get(name, math.nan)) for name in names]
            table.writerow((system, clip, *("" if value is None else f"{value:.6g}" for value in values)))
    return text.getvalue()
