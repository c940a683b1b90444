"""How well a score separates two classes."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def roc_auc(scores: Float[Tensor, " rows"], positive: Bool[Tensor, " rows"]) -> float:
    """Area under the ROC curve: how often a positive row has a higher score than a negative one; ties count half.

    Args:
        scores: higher means positive.
        positive: which rows are positive.

    Returns:
        0.5 for guessing, 1 for perfect separation.

    Raises:
        ValueError: only one of the classes occurs.
    """
    num_positive = int(positive.sum())
    num_negative = len(positive) - num_positive
    if not num_positive or not num_negative:
        raise ValueError(f"{num_positive} positive and {num_negative} negative rows; both are needed")
    # Rank of each row, 1 for the lowest; equal scores share the mean of their ranks (Mann-Whitney).
    _, group, counts = scores.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks = (last - (counts - 1) / 2)[group]
    return float((ranks[positive].sum() - num_positive * (num_positive + 1) / 2) / (num_positive * num_negative))
