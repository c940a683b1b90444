"""Lips that meet: shuts the mouth of any expression as far as wanted, in any style."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.head.channels import ARKIT_NAMES

CLOSE = ARKIT_NAMES.index("mouthClose")

BY_JAW = 0.5
"""Share of the way that is closed by opening less; `mouthClose` does the rest, as lips meet over a lowered jaw."""


def close_lips(
    expression: Float[Tensor, "batch frames n_expression"],
    closure: Float[Tensor, "batch frames"],
    gap_dirs: Float[Tensor, " n_expression"],
) -> Float[Tensor, "batch frames n_expression"]:
    """The expression with `closure` of the gap between its lips taken away.

    Channels that part the lips are scaled down together and `mouthClose` is raised. Nothing else moves, so a smile
    stays a smile. At closure 0, and where the lips meet already, nothing changes.

    Args:
        expression: ARKit channels.
        closure: 0 leaves the lips as they are, 1 shuts them.
        gap_dirs: by how many millimetres each channel parts the lips (negative: brings them together).
    """
    held = expression.clamp(0, 1)
    parting = held * gap_dirs.clamp_min(0)
    opened = parting.sum(-1)
    gap = (opened + (held * gap_dirs.clamp_max(0)).sum(-1)).clamp_min(0)
    away = closure * gap
    # The openers cannot give more than they have; the division is safe because gap <= opened.
    by_jaw = BY_JAW if gap_dirs[CLOSE] < -1 else 1.0  # not every head's mouthClose brings the lips together
    factor = 1 - by_jaw * away / opened.clamp_min(1e-6)
    scaled = torch.where(gap_dirs > 0, expression * factor[..., None], expression)
    if by_jaw == 1.0:
        return scaled
    shut = torch.zeros_like(gap_dirs)
    shut[CLOSE] = (1 - by_jaw) / -gap_dirs[CLOSE]
    return scaled + away[..., None] * shut
