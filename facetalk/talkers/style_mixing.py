"""Styles as vectors: between two of them lie mixtures, beyond one of them its caricature."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.errors import UsageError

LEAST_WEIGHT, MOST_WEIGHT = -0.5, 1.5
"""Bounds of a style's share: further out the decoders see codes unlike any they learned from."""

MOST_STRENGTH = 1.5


def parse_mixture(text: str) -> list[tuple[str, float]]:
    """Parts of a mixture and their weights, which sum to 1: `A.mp4:0.4,B.mp4:0.6`; equal ones where none are given."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise UsageError("a style needs a name, a video or a motion file")
    named = [_weighted(part) for part in parts]
    if all(weight is None for _, weight in named):
        return [(name, 1 / len(named)) for name, _ in named]
    missing = [name for name, weight in named if weight is None]
    if missing:
        raise UsageError(f"the style {missing[0]!r} has no weight while others have one; write it as {missing[0]}:0.5")
    weighted = [(name, weight) for name, weight in named if weight is not None]
    check_weights([weight for _, weight in weighted])
    return weighted


def check_weights(weights: Sequence[float]) -> None:
    """Refuse weights that are out of bounds or do not sum to 1."""
    outside = [weight for weight in weights if not LEAST_WEIGHT <= weight <= MOST_WEIGHT]
    if outside:
        raise UsageError(
            f"a style's weight is {outside[0]:g}; it must lie between {LEAST_WEIGHT:g} and {MOST_WEIGHT:g}"
        )
    if abs(sum(weights) - 1) > 0.005:
        raise UsageError(f"the weights of the styles sum to {sum(weights):g}; they must sum to 1")


def mix_styles(codes: Sequence[Float[Tensor, " style"]], weights: Sequence[float]) -> Float[Tensor, " style"]:
    """The weighted sum of style codes."""
    check_weights(weights)
    return (torch.stack(list(codes)) * torch.tensor(weights)[:, None]).sum(0)


def strengthened(
    code: Float[Tensor, " style"], neutral: Float[Tensor, " style"], strength: float
) -> Float[Tensor, " style"]:
    """The code moved along the line from the neutral style: 0 neutral, 1 as it is, 1.5 caricatured."""
    if not 0 <= strength <= MOST_STRENGTH:
        raise UsageError(f"style strength is {strength:g}; it must lie between 0 and {MOST_STRENGTH:g}")
    return neutral + strength * (code - neutral)


def _weighted(part: str) -> tuple[str, float | None]:
    name, colon, number = part.rpartition(":")
    if not colon or not name:
        return part, None
    try:
        return name, float(number)
    except ValueError:
        return part, None
