"""Memory that is not needed any more."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from typing import TypeVar

Block = TypeVar("Block")


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can do that.

    It keeps what blocks of audio and features needed, tens of megabytes, in pieces that the tensors of a whole
    recording do not fit into. Takes about a millisecond.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def giving_back_memory(blocks: Iterable[Block], every: int) -> Iterator[Block]:
    """Pass on the blocks of a long recording, and give back memory after every so many of them."""
    for number, block in enumerate(blocks, 1):
        yield block
        if number % every == 0:
            give_back_memory()
