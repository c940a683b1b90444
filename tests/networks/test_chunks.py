from itertools import pairwise

import pytest
import torch

from facetalk.networks.chunks import certain_frames, chunked_rows, chunks, faded, first_row

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


@pytest.mark.parametrize("known", [1, 3, 4, 17, 18, 19, 33, 34, 48, 100])
def test_certain_frames_are_those_of_any_longer_recording(known: int) -> None:
    rows = torch.randn(150, 1)

    def means(num_frames: int) -> torch.Tensor:
        """Rows that depend on their whole chunk."""
        parts = (rows[start:stop] + rows[start:stop].mean() for start, stop in chunks(num_frames, SIZE, OVERLAP))
        return torch.cat(list(faded(parts, OVERLAP)))

    count = certain_frames(known, SIZE, OVERLAP)
    torch.testing.assert_close(means(150)[:count], means(known)[:count])
    assert known - count < SIZE + OVERLAP
    assert known == 1 or not torch.equal(means(150)[: count + 1], means(known)[: count + 1])


@pytest.mark.parametrize("frame", [0, 14, 15, 17, 18, 29, 30, 33, 70])
def test_the_first_row_of_a_frame_is_that_of_its_earliest_chunk(frame: int) -> None:
    assert first_row(frame, SIZE, OVERLAP) == min(
        c.start for c in chunks(150, SIZE, OVERLAP) if c.start <= frame < c.stop
    )
