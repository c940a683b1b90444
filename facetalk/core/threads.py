"""How many threads torch uses inside one operation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Small operations on one thread within the block.

    Splitting operations of microseconds costs more than it gains, and beside any other busy program the threads wait
    for one another: fitting a five-second clip took ten times the processor time on two threads.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
