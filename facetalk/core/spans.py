"""Stretches of consecutive frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool
from torch import Tensor


class Span(NamedTuple):
    """Frames from `start` up to but excluding `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Number of frames."""
        return self.stop - self.start

    def shifted(self, by: int) -> Span:
        """The span moved by a number of frames."""
        return Span(self.start + by, self.stop + by)


def runs(mask: Bool[Tensor, " frames"]) -> Iterator[Span]:
    """The longest spans in which a mask is true, in order."""
    edge = torch.zeros(1, dtype=torch.int8, device=mask.device)
    steps = torch.diff(mask.to(torch.int8), prepend=edge, append=edge)
    for start, stop in zip((steps == 1).nonzero()[:, 0], (steps == -1).nonzero()[:, 0], strict=True):
        yield Span(int(start), int(stop))
