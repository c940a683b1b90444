"""What code that reads audio piece by piece needs of it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Samples(Protocol):
    """Mono samples that can be sliced: a tensor, or audio of which only the requested samples are in memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, samples: slice, /) -> Float[Tensor, " samples"]: ...
