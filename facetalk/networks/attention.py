"""Attention, its masks and positional codes: the only copy."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


def sinusoid_code(num_positions: int, width: int) -> Float[Tensor, "positions width"]:
    """Sine and cosine of each position at geometrically spaced rates; even columns sine, odd columns cosine."""
    if width % 2:
        raise ValueError(f"width={width} must be even")
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(num_positions)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).reshape(num_positions, width)


def periodic_code(num_positions: int, width: int, period: int) -> Float[Tensor, "positions width"]:
    """The sinusoid code of positions 0 to period-1, repeated (FaceFormer's PPE)."""
    return sinusoid_code(period, width)[torch.arange(num_positions) % period]


def biased_causal_mask(num_frames: int, num_heads: int, period: int) -> Float[Tensor, "heads frames frames"]:
    """Additive mask: the future is forbidden, and each further period back costs more (METHODS 1.3).

    Head h of n loses 2^(-8h/n), h = 1..n, for every full period that a key lies back.
    """
    slopes = torch.tensor([2.0 ** (-8.0 * (head + 1) / num_heads) for head in range(num_heads)])
    back = torch.arange(num_frames)[:, None] - torch.arange(num_frames)
    mask = -slopes[:, None, None] * torch.div(back, period, rounding_mode="floor")
    return mask.masked_fill(back < 0, -math.inf)


def local_mask(num_frames: int, reach: int) -> Bool[Tensor, "frames frames"]:
    """True where a frame may look: up to `reach` frames to either side."""
    index = torch.arange(num_frames)
    return (index[:, None] - index).abs() <= reach


def diagonal_mask(num_frames: int) -> Bool[Tensor, "frames frames"]:
    """True where a frame may look: only at the memory of its own moment (METHODS 1.4)."""
    return local_mask(num_frames, 0)


class Attention(nn.Module):
    """Multi-head attention; boolean masks are True where looking is allowed, float masks are added."""

    def __init__(self, width: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width={width} does not divide into {num_heads} heads")
        self.num_heads = num_heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        queries: Float[Tensor, "batch queries width"],
        memory: Float[Tensor, "batch keys width"],
        mask: Tensor | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """What each query gathers from the memory.

        Args:
            queries: rows that look.
            memory: rows that are looked at; the same tensor for self attention.
            mask: broadcasts to (batch, heads, queries, keys).
        """
        batch, length, width = queries.shape
        dropout = self.dropout if self.training else 0.0
        heads = [
            self._split(layer(x)) for layer, x in ((self.query, queries), (self.key, memory), (self.value, memory))
        ]
        gathered = functional.scaled_dot_product_attention(*heads, attn_mask=mask, dropout_p=dropout)
        return self.out(gathered.transpose(1, 2).reshape(batch, length, width))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Self attention and feed-forward, each added to its input and normalised after (post-norm)."""

    def __init__(self, width: int, num_heads: int, inner: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.attention = Attention(width, num_heads, dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, inner), nn.ReLU(), nn.Dropout(dropout), nn.Linear(inner, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch length width"], mask: Tensor | None = None
    ) -> Float[Tensor, "batch length width"]:
        """One refinement; `mask` as in `Attention`."""
        x = self.norms[0](x + self.dropout(self.attention(x, x, mask)))
        return self.norms[1](x + self.dropout(self.feed_forward(x)))


class LocalBias(nn.Module):
    """A learned window over time: what each head adds to its scores for every offset up to `reach` frames.

    With it a frame sees the `2 * reach + 1` frames around itself at the price of one row, where StyleTalk gives every
    frame a window of its own (METHODS 3.3). Heads start looking at different parts of the window, side by side.
    """

    def __init__(self, num_heads: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        offsets = torch.arange(-reach, reach + 1)
        centres = torch.linspace(-0.8 * reach, 0.8 * reach, num_heads)
        self.scores = nn.Parameter(-0.5 * (offsets - centres[:, None]).square())

    def forward(self, num_frames: int) -> Float[Tensor, "heads frames frames"]:
        """Additive mask; frames beyond the window are forbidden."""
        index = torch.arange(num_frames, device=self.scores.device)
        offset = index - index[:, None]
        bias = self.scores[:, offset.clamp(-self.reach, self.reach) + self.reach]
        return bias.masked_fill(offset.abs() > self.reach, -math.inf)
