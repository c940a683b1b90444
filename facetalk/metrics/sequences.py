"""How far two sequences of symbols are apart."""

from __future__ import annotations

from collections.abc import Sequence


def edit_distance(first: Sequence[int], second: Sequence[int]) -> int:
    """Fewest substitutions, deletions and insertions that turn one sequence into the other (Levenshtein 1966)."""
    row = list(range(len(second) + 1))
    for count, symbol in enumerate(first, 1):
        diagonal, row[0] = row[0], count
        for place, other in enumerate(second, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (symbol != other))
    return row[-1]


def error_rate(seen: Sequence[int], true: Sequence[int]) -> float:
    """Edit distance over the length of the true sequence, which must not be empty; more than 1 with many insertions."""
    if not true:
        raise ValueError("the true sequence is empty")
    return edit_distance(seen, true) / len(true)


def without_repetitions(symbols: Sequence[int]) -> list[int]:
    """The symbols, of which several in a row count once."""
    return [symbol for place, symbol in enumerate(symbols) if place == 0 or symbol != symbols[place - 1]]
