"""Error rates of sequences by hand and by exhaustive recursion."""

from __future__ import annotations

import random

import pytest

from facetalk.metrics.sequences import edit_distance, error_rate, without_repetitions


def slow_distance(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    if not first or not second:
        return len(first) + len(second)
    same = slow_distance(first[1:], second[1:]) + (first[0] != second[0])
    return min(same, slow_distance(first[1:], second) + 1, slow_distance(first, second[1:]) + 1)


def test_the_distance_is_the_fewest_changes() -> None:
    assert edit_distance([1, 2, 3], [1, 3]) == 1
    assert edit_distance([], [4, 4]) == 2
    source = random.Random(0)
    for _ in range(30):
        first, second = (tuple(source.choices(range(3), k=source.randrange(6))) for _ in range(2))
        assert edit_distance(first, second) == slow_distance(first, second)


def test_rates_and_repetitions() -> None:
    assert error_rate([1, 2, 9, 4], [1, 2, 3]) == pytest.approx(2 / 3)
    assert without_repetitions([1, 1, 2, 1, 1]) == [1, 2, 1]
    with pytest.raises(ValueError, match="empty"):
        error_rate([1], [])
