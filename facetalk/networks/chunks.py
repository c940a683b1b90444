"""Long recordings in overlapping chunks, whose results fade into each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.spans import Span


def chunks(num_frames: int, size: int, overlap: int) -> Iterator[Span]:
    """Chunks of up to `size` frames that cover a recording; two neighbours share `overlap` frames."""
    for start in range(0, max(1, num_frames - overlap), size - overlap):
        yield Span(start, min(start + size, num_frames))


def first_row(frame: int, size: int, overlap: int) -> int:
    """The first row that counts for a frame and those after it: where the earliest chunk with this frame begins."""
    step = size - overlap
    return max(0, (frame - size) // step + 1) * step


def certain_frames(known: int, size: int, overlap: int) -> int:
    """Number of frames that no row after the first `known` ones can change."""
    step = size - overlap
    return max(0, known - overlap) // step * step


def chunked_rows(
    blocks: Iterable[Float[Tensor, "_ width"]], num_frames: int, size: int, overlap: int
) -> Iterator[Float[Tensor, "_ width"]]:
    """Yield the rows of each of `chunks`, of which only those in use are held.

    Args:
        blocks: consecutive rows, `num_frames` in all.
        num_frames: number of rows.
        size: see `chunks`.
        overlap: see `chunks`.
    """
    coming = iter(blocks)
    held, first = next(coming), 0
    for chunk in chunks(num_frames, size, overlap):
        parts = [held[chunk.start - first :]]
        first = chunk.start
        while sum(map(len, parts)) < chunk.stop - chunk.start:
            parts.append(next(coming))
        held = torch.cat(parts)
        yield held[: chunk.stop - chunk.start]


def faded(results: Iterable[Float[Tensor, "_ width"]], overlap: int) -> Iterator[Float[Tensor, "frames width"]]:
    """Join the results of consecutive chunks, which fade into each other where they overlap.

    Args:
        results: of each chunk; all but the last have more than `overlap` rows.
        overlap: rows that two neighbours share.

    Yields:
        Blocks of rows, each frame once.
    """
    fade = torch.arange(1, overlap + 1)[:, None] / (overlap + 1)
    held: Tensor | None = None
    for rows in results:
        if held is not None:
            joined = torch.lerp(held[-overlap:], rows[:overlap], fade.to(rows))
            yield held[:-overlap]
            rows = torch.cat([joined, rows[overlap:]])
        held = rows
    if held is not None:
        yield held
