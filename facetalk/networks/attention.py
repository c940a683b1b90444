"""Attention, its masks and positional codes, shared by all networks."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.networks.local_attention import LocalMask


def sinusoid_code(num_positions: int, width: int) -> Float[Tensor, "positions width"]:
    """Return sine (even columns) and cosine (odd columns) of each position at geometrically spaced rates."""
    if width % 2:
        raise ValueError(f"width={width} must be even")
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(num_positions)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).reshape(num_positions, width)


def periodic_code(num_positions: int, width: int, period: int) -> Float[Tensor, "positions width"]:
    """Return the sinusoid code of positions 0 to period-1, repeated (the PPE of FaceFormer, Fan et al. 2022)."""
    return sinusoid_code(period, width)[torch.arange(num_positions) % period]


def biased_causal_mask(num_frames: int, num_heads: int, period: int) -> Float[Tensor, "heads frames frames"]:
    """Return an additive mask that excludes the future and lowers older keys (FaceFormer, Fan et al. 2022).

    The score of a key falls by 2^(-8h/n) in head h of n, h = 1..n, for every full period that the key lies back.
    """
    slopes = torch.tensor([2.0 ** (-8.0 * (head + 1) / num_heads) for head in range(num_heads)])
    back = torch.arange(num_frames)[:, None] - torch.arange(num_frames)
    mask = -slopes[:, None, None] * torch.div(back, period, rounding_mode="floor")
    return mask.masked_fill(back < 0, -math.inf)


def local_mask(num_frames: int, reach: int) -> Bool[Tensor, "frames frames"]:
    """Return True where a frame may attend: up to `reach` frames to either side."""
    index = torch.arange(num_frames)
    return (index[:, None] - index).abs() <= reach


def diagonal_mask(num_frames: int) -> Bool[Tensor, "frames frames"]:
    """Return True where a frame may attend: only at the memory of the same frame (FaceFormer, Fan et al. 2022)."""
    return local_mask(num_frames, 0)


class Attention(nn.Module):
    """Multi-head attention; boolean masks are True where attention is allowed, float masks are added to the scores."""

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
        mask: Tensor | LocalMask | None = None,
    ) -> Float[Tensor, "batch queries width"]:
        """Attend from each query to the memory.

        Args:
            queries: rows that attend.
            memory: rows that are attended to; the same tensor for self attention.
            mask: broadcasts to (batch, heads, queries, keys).
        """
        dropout = self.dropout if self.training else 0.0
        heads = self.heads(queries, memory)
        if isinstance(mask, LocalMask):
            if not self.training:
                return self.joined(mask.gather(*heads))
            mask = mask.dense
        return self.joined(functional.scaled_dot_product_attention(*heads, attn_mask=mask, dropout_p=dropout))

    def heads(
        self, queries: Float[Tensor, "batch queries width"], memory: Float[Tensor, "batch keys width"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (batch, heads, rows, width of a head)."""
        query, key, value = (
            self._split(layer(x)) for layer, x in ((self.query, queries), (self.key, memory), (self.value, memory))
        )
        return query, key, value

    def joined(self, gathered: Float[Tensor, "batch heads queries head_width"]) -> Float[Tensor, "batch queries width"]:
        """The output from what each head gathered."""
        return self.out(gathered.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Self attention and feed-forward, each added to its input and normalized after (post-norm)."""

    def __init__(self, width: int, num_heads: int, inner: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.attention = Attention(width, num_heads, dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, inner), nn.ReLU(), nn.Dropout(dropout), nn.Linear(inner, width)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch length width"], mask: Tensor | LocalMask | None = None
    ) -> Float[Tensor, "batch length width"]:
        """Refine the rows; `mask` as in `Attention`."""
        x = self.norms[0](x + self.dropout(self.attention(x, x, mask)))
        return self.norms[1](x + self.dropout(self.feed_forward(x)))
