"""Attention of each frame to the few frames around it: masks, and the computation without what they exclude."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

_BLOCK = 16
"""Queries that share a block of keys: larger blocks compute more scores that do not count, smaller ones more often."""


class LocalBias(nn.Module):
    """A learned window over time: what each head adds to its scores for every offset up to `reach` frames.

    With it a frame sees the `2 * reach + 1` frames around itself at the cost of one row, where StyleTalk (Ma et al.
    2023) computes a window for every frame. Heads start with different parts of the window, side by side.
    """

    def __init__(self, num_heads: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        offsets = torch.arange(-reach, reach + 1)
        centers = torch.linspace(-0.8 * reach, 0.8 * reach, num_heads)
        self.scores = nn.Parameter(-0.5 * (offsets - centers[:, None]).square())

    def forward(self, present: Bool[Tensor, "batch frames"]) -> LocalMask:
        """Return a mask that excludes frames beyond the window and those that are not present."""
        return LocalMask(self.scores, present)


@dataclass(frozen=True, eq=False)
class LocalMask:
    """Which frames a frame may attend to, and how much each head favors them."""

    scores: Float[Tensor, "heads offsets"]
    """Added to the score of a key by its offset from the query, -reach to reach."""
    present: Bool[Tensor, "batch frames"]
    """False where a row is only padding. Such a row sees itself, so that its softmax has something to sum."""

    @property
    def reach(self) -> int:
        """Frames to either side that a frame may attend to."""
        return self.scores.shape[1] // 2

    @cached_property
    def dense(self) -> Float[Tensor, "batch heads frames frames"]:
        """An additive mask for attention among all frames."""
        frames = torch.arange(self.present.shape[1], device=self.scores.device)
        return self._bias(frames[:, None], frames, self.present[:, None])

    def gather(
        self,
        query: Float[Tensor, "batch heads frames head_width"],
        key: Float[Tensor, "batch heads frames head_width"],
        value: Float[Tensor, "batch heads frames head_width"],
    ) -> Float[Tensor, "batch heads frames head_width"]:
        """What each head gathers, without dropout: the same as with `dense`, at a cost that is linear in the frames."""
        num_frames, reach = query.shape[2], self.reach
        if num_frames == 0:
            return value
        missing = -num_frames % _BLOCK
        queries = functional.pad(query, (0, 0, 0, missing)).unflatten(2, (-1, _BLOCK))
        keys, values = (
            functional.pad(part, (0, 0, reach, reach + missing)).unfold(2, _BLOCK + 2 * reach, _BLOCK)
            for part in (key, value)
        )
        shares = (queries / math.sqrt(query.shape[3]) @ keys + self._block_bias).softmax(-1)
        return (shares @ values.transpose(-1, -2)).flatten(2, 3)[:, :, :num_frames]

    @cached_property
    def _block_bias(self) -> Float[Tensor, "batch heads blocks queries keys"]:
        """The part of `dense` that belongs to each block; what lies beyond the ends is not present."""
        reach, missing = self.reach, -self.present.shape[1] % _BLOCK
        present = functional.pad(self.present, (reach, reach + missing)).unfold(1, _BLOCK + 2 * reach, _BLOCK)
        keys = torch.arange(-reach, _BLOCK + reach, device=self.scores.device)
        return self._bias(keys[reach : reach + _BLOCK, None], keys, present[:, :, None])

    def _bias(
        self,
        query_frames: Int[Tensor, "queries 1"],
        key_frames: Int[Tensor, " keys"],
        present: Bool[Tensor, "*batch 1 keys"],
    ) -> Float[Tensor, "..."]:
        """Bias of every head for these queries and keys, -inf where a query may not attend."""
        offsets = key_frames - query_frames
        bias = self.scores[:, offsets.clamp(-self.reach, self.reach) + self.reach]
        allowed = present & (offsets.abs() <= self.reach) | (offsets == 0)
        if present.ndim == 4:
            bias = bias[:, None]
        return bias.masked_fill(~allowed[:, None], -math.inf)
