"""Memory that is not needed any more."""

from __future__ import annotations

import ctypes


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can do that.

    It keeps what blocks of audio and features needed, tens of megabytes, in pieces that the tensors of a whole
    recording do not fit into. Takes about a millisecond.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
