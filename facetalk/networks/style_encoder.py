"""A reference motion -> style_code: how a person speaks, apart from what is said (StyleTalk, Ma et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from facetalk.core.config import check_ranges
from facetalk.networks.attention import EncoderLayer, sinusoid_code


@dataclass(frozen=True)
class StyleEncoderConfig:
    """Sizes of the style encoder."""

    width: int = 64
    num_layers: int = 2
    num_heads: int = 4
    dropout: float = 0.1
    max_frames: int = 256
    """Longest segment that is encoded at once; longer references are cut into segments of equal length."""

    def __post_init__(self) -> None:
        check_ranges(self, width=(1, 8192), num_layers=(1, 100), num_heads=(1, 256), dropout=(0, 0.99))
        check_ranges(self, max_frames=(1, 100_000))


class StyleEncoder(nn.Module):
    """Self attention over the reference's frames, pooled by attention, and the level and spread of each channel.

    Level and spread are measured, not learned: trained on an hour of data from a hundred speakers, a network does not
    estimate them for new faces, and styles from unseen speakers must keep their mean smile.
    """

    positions: Tensor

    def __init__(self, num_channels: int, config: StyleEncoderConfig, with_median: Sequence[int] = ()) -> None:
        """Build the layers.

        Args:
            num_channels: of the reference motion.
            config: sizes.
            with_median: channels whose level is the median over time, which blinks do not shift; else the mean.
        """
        super().__init__()
        self.with_median = list(with_median)
        self.config = config
        self.num_channels = num_channels
        width = config.width
        self.embed = nn.Linear(num_channels, width)
        self.layers = nn.ModuleList(
            EncoderLayer(width, config.num_heads, 4 * width, config.dropout) for _ in range(config.num_layers)
        )
        self.score = nn.Sequential(nn.Linear(width, width), nn.Mish(), nn.Linear(width, 1))
        self.register_buffer("positions", sinusoid_code(config.max_frames, width), persistent=False)

    @property
    def code_width(self) -> int:
        """Length of a style code: the pooled part, then level and spread of every channel."""
        return self.config.width + 2 * self.num_channels

    def split(
        self, style_code: Float[Tensor, "batch style"]
    ) -> tuple[Float[Tensor, "batch pooled"], Float[Tensor, "batch n_expression"], Float[Tensor, "batch n_expression"]]:
        """Split style codes into the learned part, the level and the spread."""
        pooled, level, spread = style_code.split([self.config.width, self.num_channels, self.num_channels], 1)
        return pooled, level, spread

    def forward(
        self, expression: Float[Tensor, "batch frames n_expression"], present: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch style"]:
        """Return the style code of each reference.

        Args:
            expression: reference motion, at most `max_frames` frames.
            present: False where a row is only padding; the code does not depend on these rows.
        """
        return torch.cat([self.pool(expression, present), *self.measure(expression, present)], 1)

    def measure(
        self, expression: Float[Tensor, "batch frames n_expression"], present: Bool[Tensor, "batch frames"]
    ) -> tuple[Float[Tensor, "batch n_expression"], Float[Tensor, "batch n_expression"]]:
        """Return the level and spread of every channel, for references of any length."""
        counted = present[..., None].to(expression)
        total = counted.sum(1)
        level = (expression * counted).sum(1) / total
        if self.with_median:
            rows = expression[..., self.with_median].masked_fill(~present[..., None], torch.nan)
            level = level.index_copy(1, level.new_tensor(self.with_median, dtype=torch.long), rows.nanmedian(1).values)
        variance = ((expression - level[:, None]).square() * counted).sum(1) / total
        return level, (variance + 1e-8).sqrt()

    def pool(
        self, expression: Float[Tensor, "batch frames n_expression"], present: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch pooled"]:
        """Return the learned part of the code of at most `max_frames` frames."""
        x = self.embed(expression) + self.positions[: expression.shape[1]]
        for layer in self.layers:
            x = layer(x, present[:, None, None, :])
        scores = self.score(x).masked_fill(~present[..., None], -torch.inf)
        return (scores.softmax(1) * x).sum(1)

    def encode_long(self, expression: Float[Tensor, "frames n_expression"]) -> Float[Tensor, " style"]:
        """Return the style code of a reference of any length; its learned part is the mean over its segments."""
        present = torch.ones(1, len(expression), dtype=torch.bool, device=expression.device)
        parts = expression.tensor_split(-(-len(expression) // self.config.max_frames))
        pooled = [self.pool(part[None], present[:, : len(part)]) * len(part) for part in parts]
        measured = self.measure(expression[None], present)
        return torch.cat([torch.stack(pooled).sum(0) / len(expression), *measured], 1)[0]
