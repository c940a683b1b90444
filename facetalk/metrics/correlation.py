"""Whether two curves move together, at any amplitude."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SMALLEST = 1e-9
"""Products of the norms below this count as this, so that constant curves have a correlation of 0."""


def correlation(
    first: Float[Tensor, "frames *curves"], second: Float[Tensor, "frames *curves"]
) -> Float[Tensor, "*curves"]:
    """Pearson's correlation over time; 0 where a curve is constant."""
    pair = torch.stack([first, second])
    pair = pair - pair.mean(1, keepdim=True)
    return pair.prod(0).sum(0) / pair.square().sum(1).sqrt().prod(0).clamp_min(SMALLEST)
