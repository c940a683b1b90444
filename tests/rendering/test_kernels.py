from __future__ import annotations

from typing import Any, no_type_check

import numba
import numpy as np
import pytest

from facetalk.core.kernels import compiled


def test_a_place_without_room_for_a_cache_only_costs_time(monkeypatch: pytest.MonkeyPatch) -> None:
    original = numba.njit

    def refuse(cache: bool = False, **options: Any) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return original(**options)

    monkeypatch.setattr(numba, "njit", refuse)

    @compiled(nogil=True)
    @no_type_check
    def double(values):
        return 2 * values

    monkeypatch.undo()
    np.testing.assert_array_equal(double(np.arange(3)), [0, 2, 4])
