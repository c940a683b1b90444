from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from facetalk.io import frame_table
from facetalk.io.frame_table import FrameTable

GIVEN = [1, 2, 5, 6, 7, 11]


@pytest.fixture(params=[2**20, 64], ids=["in memory", "on disk"])
def both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[FrameTable, torch.Tensor]:
    """A table and what it holds as a plain tensor."""
    monkeypatch.setattr(frame_table, "IN_MEMORY", request.param)
    table, plain = FrameTable(4, 3), torch.full((14, 4, 3), torch.nan)
    generator = np.random.default_rng(0)
    for number in GIVEN:
        row = generator.normal(size=(4, 3)).astype(np.float32)
        table.append(number, row)
        plain[number] = torch.from_numpy(row)
    table.extend_to(14)
    return table, plain


@pytest.mark.parametrize(
    "part",
    [slice(None), slice(0, 1), slice(3, 5), slice(2, 8), slice(6, 40), slice(9, 9), slice(0, 14, 3), slice(1, None, 5)],
    ids=str,
)
def test_slices_are_those_of_a_tensor(both: tuple[FrameTable, torch.Tensor], part: slice) -> None:
    table, plain = both
    assert table.shape == plain.shape and len(table) == 14
    torch.testing.assert_close(table[part], plain[part], equal_nan=True)


def test_rows_must_come_in_order() -> None:
    with FrameTable(2) as table:
        table.append(3, np.zeros(2))
        with pytest.raises(ValueError, match="row 3 comes after row 3"):
            table.append(3, np.zeros(2))
        assert table.numbers == [3] and bool(torch.isnan(table[:3]).all())


def test_a_table_that_is_no_longer_used_closes_its_file() -> None:
    table = FrameTable(2)
    file = table._file
    del table
    gc.collect()
    assert file.closed


def test_several_threads_read_a_table_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_table, "IN_MEMORY", 1000)
    rows = np.random.default_rng(0).normal(size=(2000, 50)).astype(np.float32)
    with FrameTable(50) as table:
        for number, row in enumerate(rows):
            table.append(number, row)
        parts = [slice(start, start + 37) for start in range(0, 1900, 7)]
        with ThreadPoolExecutor(8) as pool:
            for part, values in zip(parts, pool.map(table.__getitem__, parts), strict=True):
                np.testing.assert_array_equal(values.numpy(), rows[part])
