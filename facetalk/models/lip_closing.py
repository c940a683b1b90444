"""Lips that meet: shuts the mouth of any expression as far as wanted, in any style."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from facetalk.head.channels import ARKIT_NAMES

CLOSE = ARKIT_NAMES.index("mouthClose")

BY_JAW = 0.5
"""Share of the way that is closed by opening less; `mouthClose` does the rest, as lips meet over a lowered jaw."""

PRESSED_MM = 0.5
"""Shut lips are pressed together by this much: lips that only just touch show a slit."""

SHAPING_MM = 1.0
"""Channels that part the lips by less than this when they are 1 shape the mouth but do not open it: a pucker stays."""

DOUBTFUL, CERTAIN = 0.2, 0.5
"""Probability of a P, B or M below which nothing closes because of it, and from which on the lips are shut."""


def close_lips(
    expression: Float[Tensor, "batch frames n_expression"],
    closure: Float[Tensor, "batch frames"],
    gap_dirs: Float[Tensor, " n_expression"],
) -> Float[Tensor, "batch frames n_expression"]:
    """The expression with `closure` of the gap between its lips taken away.

    Channels that part the lips are scaled down together and `mouthClose` is raised. Nothing else moves, so a smile
    stays a smile and rounded lips stay round. At closure 0, and where the lips are pressed together already, nothing
    changes.

    Args:
        expression: ARKit channels.
        closure: 0 leaves the lips as they are, 1 shuts them.
        gap_dirs: by how many millimetres each channel parts the lips (negative: brings them together).
    """
    held = expression.clamp(0, 1)
    has_close = bool(gap_dirs[CLOSE] < -1)  # not every head's mouthClose brings the lips together
    parts = gap_dirs > (SHAPING_MM if has_close else 0.0)
    opened = (held * gap_dirs * parts).sum(-1)
    gap = (held * gap_dirs).sum(-1)
    away = closure * (gap + PRESSED_MM).clamp_min(0)
    taken = torch.minimum((BY_JAW if has_close else 1.0) * away, opened)
    factor = 1 - taken / opened.clamp_min(1e-6)
    scaled = torch.where(parts, expression * factor[..., None], expression)
    if not has_close:
        return scaled
    shut = torch.zeros_like(gap_dirs)
    shut[CLOSE] = -1 / gap_dirs[CLOSE]
    return scaled + (away - taken)[..., None] * shut


def bilabial_closure(probability: Float[Tensor, "batch frames"]) -> Float[Tensor, "batch frames"]:
    """How far a P, B or M shuts the lips: all the way where one is likely, for three frames, with soft flanks."""
    sure = ((probability - DOUBTFUL) / (CERTAIN - DOUBTFUL)).clamp(0, 1)
    held = functional.max_pool1d(sure[:, None], 3, stride=1, padding=1)
    flank = held.new_tensor([[[0.25, 0.5, 0.25]]])
    return functional.conv1d(functional.pad(held, (1, 1), mode="replicate"), flank)[:, 0]


def resting(probability: Float[Tensor, "batch frames"]) -> Float[Tensor, "batch frames"]:
    """How far the mouth is at rest where silence is likely: over a third of a second around it, without a jump."""
    padded = functional.pad(probability[:, None].clamp(0, 1), (4, 4), mode="replicate")
    return functional.avg_pool1d(padded, 9, stride=1)[:, 0]
