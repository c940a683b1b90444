"""What code that reads audio piece by piece needs of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Samples(Protocol):
    """Mono samples that can be sliced: a tensor, or audio of which only the requested samples are in memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, samples: slice, /) -> Float[Tensor, " samples"]: ...


@dataclass(frozen=True)
class Excerpt:
    """A stretch of other samples, of which only the requested ones are read."""

    whole: Samples
    start: int
    stop: int
    """In samples of the whole, and not after its end."""

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, samples: slice, /) -> Float[Tensor, " samples"]:
        start, stop, _ = samples.indices(len(self))
        return self.whole[self.start + start : self.start + max(start, stop)]
