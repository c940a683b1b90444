from itertools import pairwise

import pytest
import torch

from facetalk.networks.chunks import chunked_rows, chunks, faded

SIZE, OVERLAP = 18, 3


@pytest.mark.parametrize("num_frames", [1, 3, 4, 18, 19, 21, 100])
def test_chunks_cover_every_frame_and_overlap(num_frames: int) -> None:
    found = list(chunks(num_frames, SIZE, OVERLAP))
    assert found[0].start == 0
    assert found[-1].stop == num_frames
    assert all(0 < span.length <= SIZE for span in found)
    assert all(before.stop - after.start == OVERLAP for before, after in pairwise(found))


@pytest.mark.parametrize("num_frames", [1, 4, 18, 19, 100])
@pytest.mark.parametrize("block", [1, 7, 1000])
def test_rows_that_come_in_blocks_are_cut_into_the_same_chunks(num_frames: int, block: int) -> None:
    rows = torch.arange(num_frames)[:, None].float()
    expected = [rows[start:stop] for start, stop in chunks(num_frames, SIZE, OVERLAP)]
    found = list(chunked_rows(rows.split(block), num_frames, SIZE, OVERLAP))
    assert len(found) == len(expected)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("num_frames", [1, 4, 18, 19, 100])
def test_chunks_that_agree_are_joined_to_what_they_are(num_frames: int) -> None:
    rows = torch.randn(num_frames, 2)
    parts = [rows[start:stop] for start, stop in chunks(num_frames, SIZE, OVERLAP)]
    torch.testing.assert_close(torch.cat(list(faded(parts, OVERLAP))), rows)


def test_chunks_that_differ_fade_into_each_other() -> None:
    joined = torch.cat(list(faded([torch.zeros(8, 1), torch.ones(8, 1), torch.zeros(8, 1)], OVERLAP)))[:, 0]
    expected = [0.0] * 5 + [0.25, 0.5, 0.75] + [1.0] * 2 + [0.75, 0.5, 0.25] + [0.0] * 5
    torch.testing.assert_close(joined, torch.tensor(expected))
