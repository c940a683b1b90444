"""How well a score tells two kinds apart."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def roc_auc(scores: Float[Tensor, " rows"], positive: Bool[Tensor, " rows"]) -> float:
    """Chance that a positive row has a higher score than a negative one; ties count half. 0.5 is guessing.

    Args:
        scores: any numbers; higher says positive.
        positive: which rows are positive; both kinds must occur.
    """
    num_positive = int(positive.sum())
    num_negative = len(positive) - num_positive
    if not num_positive or not num_negative:
        raise ValueError(f"{num_positive} positive and {num_negative} negative rows; both kinds are needed")
    # Rank of each row, 1 for the lowest; equal scores share the mean of their ranks (Mann-Whitney).
    _, group, counts = scores.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks = (last - (counts - 1) / 2)[group]
    return float((ranks[positive].sum() - num_positive * (num_positive + 1) / 2) / (num_positive * num_negative))
