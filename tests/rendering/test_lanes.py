"""Vectors in compiled kernels do what NumPy does to eight numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, no_type_check

import numpy as np
import pytest
from numba.core.errors import TypingError

from facetalk.rendering import lanes
from facetalk.rendering.kernels import kernel
from facetalk.rendering.lane_access import (
    load,
    load_mask,
    load_pixels,
    mixed_rows,
    prefetch,
    rows,
    store,
    store_bytes,
    store_pixels,
)
from facetalk.rendering.lanes import (
    LANES,
    STEPS,
    bit_patterns,
    bits,
    floats,
    greatest,
    least,
    lowest_bit,
    pair_sums,
    root,
    select,
    truncated,
)

FLOATS = np.random.default_rng(0).normal(size=LANES).astype(np.float32)
OTHERS = np.array([1, FLOATS[1], -3, 0.5, FLOATS[4], 7, -0.1, 2], np.float32)
WHOLE = np.array([3, -1, 7, 0, 250, 6, 1 << 20, 9], np.int32)


def applied(function: Callable[..., Any], *operands: np.ndarray) -> np.ndarray:
    """What an operator gives for vectors."""

    @kernel
    @no_type_check
    def compute(a, b, result):
        store(result, 0, function(load(a, 0), load(b, 0)))

    result = np.empty_like(operands[0])
    compute(*operands, result)
    return result


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv"])
def test_arithmetic_is_that_of_numpy(name: str) -> None:
    function = getattr(operator, name)
    np.testing.assert_array_equal(applied(function, FLOATS, OTHERS), function(FLOATS, OTHERS))
    if name != "truediv":
        np.testing.assert_array_equal(applied(function, WHOLE, STEPS), function(WHOLE, STEPS))


@pytest.mark.parametrize("name", ["and_", "or_", "lshift", "rshift"])
def test_bits_of_integers_are_those_of_numpy(name: str) -> None:
    function = getattr(operator, name)
    positive = np.abs(WHOLE)
    np.testing.assert_array_equal(applied(function, positive, STEPS), function(positive, STEPS))


def test_the_smaller_and_the_larger_elements_are_found() -> None:
    np.testing.assert_array_equal(applied(least, FLOATS, OTHERS), np.minimum(FLOATS, OTHERS))
    np.testing.assert_array_equal(applied(greatest, FLOATS, OTHERS), np.maximum(FLOATS, OTHERS))
    np.testing.assert_array_equal(applied(least, WHOLE, STEPS), np.minimum(WHOLE, STEPS))
    np.testing.assert_array_equal(applied(pair_sums, WHOLE, STEPS), [2, 7, 256, (1 << 20) + 9, 1, 5, 9, 13])


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_comparisons_choose_elements(name: str) -> None:
    function = getattr(operator, name)

    @kernel
    @no_type_check
    def compute(a, b, result):
        mask = function(load(a, 0), load(b, 0))
        store(result, 0, select(mask, load(a, 0), -1.5))
        return bits(mask)

    result = np.empty_like(FLOATS)
    expected = function(FLOATS, OTHERS)
    assert compute(FLOATS, OTHERS, result) == int((expected << STEPS).sum())
    np.testing.assert_array_equal(result, np.where(expected, FLOATS, np.float32(-1.5)))


def test_numbers_count_for_all_elements_and_kinds_convert() -> None:
    @kernel
    @no_type_check
    def compute(a, whole, result, cut, patterns):
        value = 2 * load(a, 0) + 1.5
        store(result, 0, root(value * value) - floats(load(whole, 0)) + floats(0.25))
        store(cut, 0, truncated(value))
        store(patterns, 0, bit_patterns(value))

    result, cut, patterns = np.empty(LANES, np.float32), np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    compute(FLOATS, STEPS, result, cut, patterns)
    value = 2 * FLOATS + np.float32(1.5)
    np.testing.assert_allclose(result, np.abs(value) - STEPS + 0.25, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(cut, value.astype(np.int32))
    np.testing.assert_allclose(patterns.view(np.float32), value, rtol=1e-6)


def test_tables_are_read_at_eight_rows() -> None:
    generator = np.random.default_rng(1)
    table, small = generator.normal(size=(20, 11)).astype(np.float32), generator.integers(0, 65536, (20, 8), np.uint16)
    first, second = (generator.integers(0, 20, LANES).astype(np.int32) for _ in range(2))
    pair, shares = (11 * first, 11 * second), (FLOATS, 1 - FLOATS)

    @kernel
    @no_type_check
    def compute(table, places, shares, column, result):
        prefetch(table, places[0], 0)
        index = 0
        for vector in mixed_rows(table, places, shares, 0, column):
            store(result, index, vector)
            index += LANES

    @kernel
    @no_type_check
    def copy(table, places, result):
        index = 0
        for vector in rows(table, places, 0, 3):
            store(result, index, vector)
            index += LANES

    found = np.empty(LANES * LANES, np.float32)
    copy(table.ravel(), pair[0], found)
    np.testing.assert_array_equal(found.reshape(LANES, LANES).T, table[first, 3:])
    compute(table.ravel(), pair, shares, 2, found)
    expected = FLOATS[:, None] * table[first, 2:10] + (1 - FLOATS[:, None]) * table[second, 2:10]
    np.testing.assert_allclose(found.reshape(LANES, LANES).T, expected, rtol=1e-5, atol=1e-6)
    compute(small.ravel(), (8 * first, 8 * second), shares, 0, found)
    expected = FLOATS[:, None] * small[first] + (1 - FLOATS[:, None]) * small[second]
    np.testing.assert_allclose(found.reshape(LANES, LANES).T, expected, rtol=1e-5, atol=0.05)


def test_pixels_and_bytes_are_read_and_written_without_touching_their_neighbors() -> None:
    generator = np.random.default_rng(2)
    image = generator.integers(0, 256, (20, 3), dtype=np.uint8)

    @kernel
    @no_type_check
    def compute(image, colors, low, copy, marked):
        pixels = load_pixels(image, 5)
        store(colors, 0, pixels)
        store_pixels(copy, 7, pixels)
        store_bytes(low, 3, pixels)
        return bits(load_mask(marked, 1))

    colors, copy, low = np.empty(LANES, np.int32), np.zeros_like(image), np.zeros(20, np.uint8)
    marked = np.array([9, 0, 1, 0, 0, 255, 0, 0, 8, 9], np.uint8)
    assert compute(image.ravel(), colors, low, copy.ravel(), marked) == 0b10010010
    np.testing.assert_array_equal(colors, image[5:13].astype(np.int32) @ [1, 256, 65536])
    expected = np.zeros_like(image)
    expected[7:15] = image[5:13]
    np.testing.assert_array_equal(copy, expected)
    np.testing.assert_array_equal(low, np.pad(image[5:13, 0], (3, 9)))


@pytest.mark.parametrize(("number", "expected"), [(1, 0), (40, 3), (1 << 40, 40)])
def test_the_lowest_bit_is_found(number: int, expected: int) -> None:
    @kernel
    @no_type_check
    def compute(number):
        return lowest_bit(number)

    assert compute(number) == expected


def test_what_does_not_go_together_is_refused() -> None:
    @kernel
    @no_type_check
    def mixed(a, b):
        return bits(load(a, 0) + load(b, 0) > 0)

    with pytest.raises(TypingError):
        mixed(FLOATS, STEPS)

    @kernel
    @no_type_check
    def halved(a):
        return bits(load(a, 0) * 0.5 > 0)

    with pytest.raises(TypingError):
        halved(STEPS)
    with pytest.raises(NotImplementedError, match="for compiled kernels"):
        lanes.least(1, 2)
