from __future__ import annotations

import numpy as np
import pytest

from facetalk.rendering.tables import aligned


@pytest.mark.parametrize("rows", [1, 7])
def test_tables_begin_with_a_cache_line(rows: int) -> None:
    table = aligned((rows, 16), np.float32)
    assert table.shape == (rows, 16) and table.dtype == np.float32
    assert table.ctypes.data % 64 == 0
    assert table.flags.c_contiguous and not table.any()
