"""Random choices from a generator that is passed in."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def random_index(limit: int, generator: torch.Generator) -> int:
    """A whole number from 0 to `limit` - 1."""
    return int(torch.randint(limit, (), generator=generator))


def weighted_index(weights: Sequence[float], generator: torch.Generator) -> int:
    """An index into the weights, chosen in proportion to them."""
    return int(torch.multinomial(torch.tensor(weights, dtype=torch.float64), 1, generator=generator))


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number between two others."""
    return low + (high - low) * float(torch.rand((), generator=generator))
