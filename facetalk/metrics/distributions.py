"""Distances of distributions, and how certain the mean of a sample is."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

RESAMPLES = 2000
"""Samples that a bootstrap draws."""


def wasserstein(first: Float[Tensor, " samples"], second: Float[Tensor, " others"]) -> float:
    """Wasserstein-1 distance of two samples, in their unit: the area between their distribution functions.

    Returns:
        The distance; NaN where a sample is empty.
    """
    if not len(first) or not len(second):
        return float("nan")
    first, second = first.double().sort()[0], second.double().sort()[0]
    edges = torch.cat([first, second]).sort()[0]
    shares = [torch.searchsorted(sample, edges[:-1], right=True) / len(sample) for sample in (first, second)]
    return float(((shares[0] - shares[1]).abs() * edges.diff()).sum())


def confidence_interval(
    values: Float[Tensor, " clips"], generator: torch.Generator, level: float = 0.95
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the mean (Efron 1979).

    Args:
        values: one per clip; not finite ones are left out.
        generator: draws the samples.
        level: share of the samples' means inside.

    Returns:
        Both ends; None for less than two values.
    """
    known = values[values.isfinite()].double()
    if len(known) < 2:
        return None
    drawn = torch.randint(len(known), (RESAMPLES, len(known)), generator=generator)
    tail = (1 - level) / 2
    low, high = known[drawn].mean(1).quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high
