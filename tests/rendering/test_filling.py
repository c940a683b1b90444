"""Continuation of an image from the pixels that are known."""

from __future__ import annotations

import numpy as np
import pytest

from facetalk.rendering.filling import filled


@pytest.mark.parametrize("size", [(1, 1), (7, 12), (16, 9)])
def test_known_values_stay_and_others_lie_between_them(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(0)
    values = generator.uniform(2, 5, (*size, 2)).astype(np.float32)
    known = (generator.uniform(size=size) < 0.3).astype(np.float32)
    known[0, 0] = 1
    values[known == 0] = 1e6  # must not be read
    result = filled(values, known)
    np.testing.assert_array_equal(result[known == 1], values[known == 1])
    assert result.min() >= values[known == 1].min() - 1e-4 and result.max() <= values[known == 1].max() + 1e-4


def test_a_constant_is_continued_as_it_is() -> None:
    known = np.zeros((20, 33), np.float32)
    known[11, 30] = 1
    np.testing.assert_allclose(filled(np.full((20, 33, 1), 0.7, np.float32), known), 0.7, rtol=1e-6)
