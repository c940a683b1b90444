"""YAML, JSON and numbers of other people: plain values, or one line."""

from __future__ import annotations

import time

import pytest

from facetalk.core.errors import FacetalkError
from facetalk.core.text_values import parse_json, parse_number, parse_yaml


def test_plain_yaml_comes_back() -> None:
    text = "a: 1\nb: [1.5, yes, null, ~, 'x', 1e-4]\nc: {d: 2001-02-30, e: 0x1F, <<: 3}\n"
    assert parse_yaml(text, "x.yaml") == {
        "a": 1, "b": [1.5, True, None, None, "x", "1e-4"], "c": {"d": "2001-02-30", "e": 31, "<<": 3},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &b [x, x]\nc: [*b, *b]", "line 1, column 4: anchors and aliases"),
        ("a: &a {x: *a}", "anchors and aliases"),
        ("<<: *b", "anchors and aliases"),
        ("a: " + "[" * 3000, "more than 20 levels"),
        ("- " * 3000 + "x", "more than 20 levels"),
        ("? " * 3000 + "x", "more than 20 levels"),
        ("a: !!python/object/apply:os.system [ls]", "the tag .* is not read"),
        ("a: !!binary aGk=", "the tag"),
        ("a: !!int 3", "the tag"),
        ("a: " + "1" * 5000, "a number of 5000 characters"),
        ("a: 1" + ":1" * 300, "a number of"),
        ("a: 1" + ":59" * 12, "a number of more than 20 digits"),
        ("a: 0x" + "f" * 30, "a number of more than 20 digits"),
        ("a: 1.1" + "1" * 5000, "a number of 5003 characters"),
        ("a: 1\na: 2", "line 2, column 1: 'a' occurs twice"),
        ("? [a, b]\n: 1", "unhashable"),
        ("a: [", "line 1"),
        ("a: \x07", "special characters"),
        ("x" * 300_000, "300000 characters"),
    ],
)
def test_yaml_that_is_not_plain_is_refused_in_one_line(text: str, reason: str) -> None:
    start = time.perf_counter()
    with pytest.raises(FacetalkError, match=reason) as caught:
        parse_yaml(text, "x.yaml")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250 and "x.yaml" in str(caught.value)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": ' + "1" * 5000 + "}", "an integer of 5000 digits"),
        ('{"a": 1e999}', "the number 1e999"),
        ('{"a": NaN}', "NaN is not a JSON value"),
        ('{"a": -Infinity}', "-Infinity is not"),
        ("[" * 200_000, "more than 100 levels"),
        ('{"a": ' * 1000, "more than 100 levels"),
        ("{", "not valid JSON"),
        (" " * 5_000_000, "5000000 characters"),
    ],
)
def test_json_beyond_the_bounds_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(FacetalkError, match=reason) as caught:
        parse_json(text, "x.json")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_plain_json_comes_back_and_brackets_in_texts_are_no_levels() -> None:
    assert parse_json('{"a": [1, 2.5, "[[[' + "[" * 200 + '\\"[", null]}', "x")["a"][:2] == [1, 2.5]


@pytest.mark.parametrize("text", ['"' + '\\"' * 1_000_000, '"' * 2_000_001, "[]" * 1_000_000, "\\" * 2_000_000])
def test_the_time_for_json_grows_with_its_length(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(FacetalkError):
        parse_json(text, "x")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("text", ["a: 1" + ":1" * 100_000, "a: " + "1" * 200_000, "a: " + "1_" * 100_000 + ":"])
def test_the_time_for_yaml_grows_with_its_length(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(FacetalkError):
        parse_yaml(text, "x")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("text", ["nan", "1e999", "-inf", "", "x", "9" * 100_000])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    assert parse_number(" 1.5 ", "x") == 1.5
    with pytest.raises(FacetalkError, match="not a finite number") as caught:
        parse_number(text, "x.csv, row 3")
    assert len(str(caught.value)) < 120
