"""What programs that start several processes for one training, such as `torchrun`, tell each of them."""

from __future__ import annotations

import os

_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_PLACES = ("LOCAL_RANK", "MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK")
"""Variables with the number of processes, and with the place of this one on its machine."""


def num_launched() -> int:
    """Number of processes on all machines; 1 without a launcher."""
    return max(int(os.environ.get(name, 1)) for name in _SIZES)


def speaks_for_machine() -> bool:
    """Whether this is the first of the processes on its machine, which alone says what is wrong on all of them."""
    return all(os.environ.get(name, "0") == "0" for name in _PLACES)
