"""Critics of motion, used in training only: sync with speech, speaking style, realism (StyleTalk, Ma et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges

SYNC_FRAMES = 5
"""Frames that the sync critic compares: the mouth at t-2..t+2 against the speech at t-2..t+2."""


@dataclass(frozen=True)
class SyncCriticConfig:
    """Sizes of the sync critic."""

    point_widths: tuple[int, ...] = (32, 64, 128)
    """Widths of the network that is applied to every mouth vertex."""
    width: int = 128
    """Length of the embeddings that are compared."""
    dropout: float = 0.2

    def __post_init__(self) -> None:
        check_ranges(self, point_widths=(1, 8192), width=(1, 8192), dropout=(0, 0.99))


class SyncCritic(nn.Module):
    """Mouth vertices and speech -> similarity in [0, 1] for every frame that has two neighbors on each side.

    The mouth goes through a PointNet (Qi et al. 2017): a network shared by all vertices, then a maximum over vertices.
    Both embeddings are positive (ReLU), so their cosine lies in [0, 1].
    """

    speech_mean: Tensor
    speech_scale: Tensor

    def __init__(self, num_features: int, config: SyncCriticConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SyncCriticConfig()
        widths = (6, *config.point_widths)
        self.points = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.mouth = nn.Conv1d(widths[-1], config.width, SYNC_FRAMES)
        self.embed = nn.Linear(num_features, config.width)
        self.speech = nn.Sequential(
            nn.Conv1d(config.width, config.width, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(config.width, config.width, 3, padding=1),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Conv1d(config.width, config.width, SYNC_FRAMES),
        )
        self.register_buffer("speech_mean", torch.zeros(num_features))
        self.register_buffer("speech_scale", torch.ones(num_features))

    def forward(
        self,
        mouth: Float[Tensor, "batch frames vertices 3"],
        rest: Float[Tensor, "vertices 3"],
        features: Float[Tensor, "batch frames features"],
    ) -> Float[Tensor, "batch inner_frames"]:
        """Similarity of mouth and speech.

        Args:
            mouth: displacement of the mouth vertices from their mean, millimeters.
            rest: position of the vertices at rest, centimeters from their mean; distinguishes the vertices.
            features: of the speech.
        """
        x = torch.cat([mouth, rest.expand_as(mouth)], -1)
        for layer in self.points:
            x = layer(x).relu()
        mouth_rows = self.mouth(x.amax(2).transpose(1, 2)).relu()
        speech_rows = self.embed((features - self.speech_mean) / self.speech_scale)
        speech_rows = self.speech(speech_rows.transpose(1, 2)).relu()
        return functional.cosine_similarity(mouth_rows, speech_rows, dim=1)


@dataclass(frozen=True)
class PatchCriticConfig:
    """Sizes of the critics of motion excerpts."""

    widths: tuple[int, ...] = (64, 96, 128)
    """Channels after each convolution that halves the number of frames."""
    dropout: float = 0.2

    def __post_init__(self) -> None:
        check_ranges(self, widths=(1, 8192), dropout=(0, 0.99))


class MotionPatches(nn.Module):
    """Convolutions over time: each row of the result describes a patch of the motion (PatchGAN, Isola et al. 2017)."""

    def __init__(self, num_channels: int, config: PatchCriticConfig) -> None:
        super().__init__()
        widths = (num_channels, *config.widths)
        self.layers = nn.ModuleList(nn.Conv1d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))
        self.dropout = nn.Dropout(config.dropout)
        self.width = widths[-1]

    def forward(self, motion: Float[Tensor, "batch frames channels"]) -> Float[Tensor, "batch width patches"]:
        """Features of the patches; nothing is normalized, because the level of the channels matters."""
        x = motion.transpose(1, 2)
        for layer in self.layers:
            x = self.dropout(functional.leaky_relu(layer(x), 0.2))
        return x


class StyleCritic(nn.Module):
    """Motion -> logits over the styles of the training clips."""

    unit: Tensor
    centre: Tensor

    def __init__(self, num_channels: int, num_styles: int, config: PatchCriticConfig | None = None) -> None:
        super().__init__()
        self.config = config or PatchCriticConfig()
        self.patches = MotionPatches(num_channels, self.config)
        self.to_styles = nn.Linear(self.patches.width, num_styles)
        self.register_buffer("centre", torch.zeros(num_channels))
        self.register_buffer("unit", torch.ones(num_channels))

    def forward(self, motion: Float[Tensor, "batch frames channels"]) -> Float[Tensor, "batch styles"]:
        """Logits of each style, from the mean over the patches."""
        return self.to_styles(self.patches((motion - self.centre) / self.unit).mean(2))


class TemporalCritic(nn.Module):
    """Motion -> one score per patch, positive for real motion. It is trained together with the generator."""

    def __init__(self, num_channels: int, config: PatchCriticConfig | None = None) -> None:
        super().__init__()
        self.patches = MotionPatches(num_channels, config or PatchCriticConfig(dropout=0.0))
        self.score = nn.Conv1d(self.patches.width, 1, 3, padding=1)

    def forward(self, motion: Float[Tensor, "batch frames channels"]) -> Float[Tensor, "batch patches"]:
        """Scores of a motion in units of the channels' usual spread; its mean over time is removed."""
        return self.score(self.patches(motion - motion.mean(1, keepdim=True)))[:, 0]
