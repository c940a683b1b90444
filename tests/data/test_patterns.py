from __future__ import annotations

from facetalk.data.patterns import first_match, matches_any


def test_the_first_matching_pattern_decides() -> None:
    values = {"GRID:s1": 3.0, "GRID:*": 2.0, "*": 1.0}
    assert [first_match(name, values, 0.0) for name in ("GRID:s1", "GRID:s2", "MEAD:W1")] == [3.0, 2.0, 1.0]
    assert first_match("MEAD:W1", {"GRID:*": 2.0}, 0.5) == 0.5


def test_case_and_every_pattern_count() -> None:
    assert matches_any("LRW-AR:group10", ("GRID:*", "LRW-AR:group?0"))
    assert not matches_any("lrw-ar:group10", ("LRW-AR:*",))
    assert not matches_any("anybody", ())
