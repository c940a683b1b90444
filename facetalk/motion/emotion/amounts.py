"""What each emotion moves: a table of its characteristic channels, with the amount at each level.

`facetalk.workshop.emotion` makes the table `amounts.csv` of tracked clips and of the published action units.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.core.emotions import EMOTIONS, MAX_LEVEL
from facetalk.data.manifest import read_rows
from facetalk.head.channels import ARKIT_NAMES

AMOUNTS_PATH = Path(__file__).with_name("amounts.csv")

LEVELS = ("level1", "level2", "level3")

COLUMNS = ("emotion", "channel", *LEVELS, "tracked", "source")
"""Of the table. `mouthSmile` means both sides; `tracked` is the difference at level 3 in the clips."""


@dataclass(frozen=True, eq=False)
class Amounts:
    """By how much each emotion moves each ARKit channel, in the mean over a take, against the take without emotion."""

    steps: Float[Tensor, "emotions levels channels"]
    """At the levels 0, 1, 2 and 3; a negative channel is lowered."""
    counts: Bool[Tensor, "emotions channels"]
    """Which channels are characteristic; those with an amount of 0 are not to rise."""

    @classmethod
    def of_rows(cls, rows: Iterable[Mapping[str, str]]) -> Amounts:
        """The table of its rows."""
        steps = torch.zeros(len(EMOTIONS), 1 + len(LEVELS), len(ARKIT_NAMES))
        counts = torch.zeros(len(EMOTIONS), len(ARKIT_NAMES), dtype=torch.bool)
        for row in rows:
            emotion, columns = EMOTIONS.index(row["emotion"]), both_sides(row["channel"])
            counts[emotion, columns] = True
            for step, level in enumerate(LEVELS, 1):
                steps[emotion, step, columns] = float(row[level])
        return cls(steps, counts)

    def among(self, columns: Sequence[int]) -> Amounts:
        """The table of some channels."""
        return Amounts(self.steps[..., columns], self.counts[:, columns])

    def characteristic(self, levels: Float[Tensor, "frames emotions"]) -> list[int]:
        """Columns of the channels that matter at these levels."""
        return self.counts[_shown(levels)].any(0).nonzero()[:, 0].tolist()

    def moved(self, levels: Float[Tensor, "frames emotions"]) -> Float[Tensor, "frames channels"]:
        """By how much the channels move at these levels; those of a mixture add up."""
        total = levels.new_zeros(len(levels), self.steps.shape[2])
        for emotion in _shown(levels):
            level = levels[:, emotion].clamp(0, MAX_LEVEL)
            low = level.floor().clamp(max=MAX_LEVEL - 1).long()
            total += torch.lerp(self.steps[emotion, low], self.steps[emotion, low + 1], (level - low)[:, None])
        return total

    def held(self, levels: Float[Tensor, "frames emotions"]) -> Float[Tensor, "frames channels"]:
        """How far a channel is kept from rising at these levels: wholly from level 1 on."""
        total = levels.new_zeros(len(levels), self.steps.shape[2])
        for emotion in _shown(levels):
            total = torch.maximum(total, levels[:, emotion, None].clamp(0, 1) * self.counts[emotion])
        return total


@cache
def shipped_amounts() -> Amounts:
    """The table that comes with facetalk."""
    return Amounts.of_rows(read_rows(AMOUNTS_PATH))


def both_sides(channel: str) -> list[int]:
    """Columns of a channel, or of its two sides where the name has none.

    Raises:
        ValueError: there is no such channel.
    """
    found = [ARKIT_NAMES.index(name) for name in (channel, f"{channel}Left", f"{channel}Right") if name in ARKIT_NAMES]
    if not found:
        raise ValueError(f"no such channel: {channel}")
    return found


def _shown(levels: Float[Tensor, "frames emotions"]) -> list[int]:
    return levels.amax(0).nonzero()[:, 0].tolist()
