"""Trained critics as losses: gradients pass through them, their weights stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.errors import UsageError
from facetalk.head.assets import HeadAssets
from facetalk.io.weights import MODEL_FILE
from facetalk.losses.geometry import MouthVertices
from facetalk.networks.critics import StyleCritic, SyncCritic
from facetalk.networks.registry import describe, load


class FixedSyncCritic(nn.Module):
    """Similarity of mouth and speech."""

    def __init__(self, critic: SyncCritic, mouth: MouthVertices) -> None:
        super().__init__()
        self.critic, self.mouth = critic, mouth

    @classmethod
    def read(cls, folder: str, assets: HeadAssets, num_features: int) -> FixedSyncCritic:
        """The critic in a folder that `facetalk train sync-critic` wrote.

        Args:
            folder: of the critic.
            assets: the head whose mouth it sees.
            num_features: of the speech, to check that the critic was trained on the same.
        """
        _require(folder, "sync-critic", "loss_weights.sync")
        entries = describe("sync-critic", folder).entries
        if entries["num_features"] != num_features:
            raise UsageError(f"{folder} expects {entries['num_features']} speech features; this run has {num_features}")
        return cls(load("sync-critic", folder), MouthVertices(assets, entries["num_vertices"]))

    def forward(
        self,
        expression: Float[Tensor, "batch frames n_expression"],
        features: Float[Tensor, "batch frames features"],
        weight: Float[Tensor, "batch frames"],
    ) -> tuple[Float[Tensor, "batch inner_frames"], Float[Tensor, "batch inner_frames"]]:
        """Similarity and weight of the frames that have two neighbors on each side."""
        similarity = self.critic(self.mouth(expression), self.mouth.rest, features)
        margin = (weight.shape[1] - similarity.shape[1]) // 2
        return similarity, weight.unfold(1, 2 * margin + 1, 1).amin(2)


class FixedStyleCritic(nn.Module):
    """Classifier of speaking styles."""

    def __init__(self, critic: StyleCritic, styles: Sequence[str]) -> None:
        super().__init__()
        self.critic, self.styles = critic, {style: index for index, style in enumerate(styles)}

    @classmethod
    def read(cls, folder: str) -> FixedStyleCritic:
        """The critic in a folder that `facetalk train style-critic` wrote."""
        _require(folder, "style-critic", "loss_weights.style")
        return cls(load("style-critic", folder), describe("style-critic", folder).entries["styles"])

    def error(self, motion: Float[Tensor, "batch frames n_expression"], styles: Sequence[str]) -> Float[Tensor, ""]:
        """Cross entropy of the true styles; motions in styles that the critic does not know are left out."""
        known = [row for row, style in enumerate(styles) if style in self.styles]
        if not known:
            return motion.new_zeros(())
        target = torch.tensor([self.styles[styles[row]] for row in known], device=motion.device)
        return nn.functional.cross_entropy(self.critic(motion[known]), target)


def _require(folder: str, name: str, weight: str) -> None:
    """Raise UsageError with the remedy where there is no trained critic."""
    if not folder or not (Path(folder) / MODEL_FILE).is_file():
        found = f"there is none in {folder!r}" if folder else "none was given"
        option = name.replace("-", "_")
        raise UsageError(f"{weight} needs a critic and {found}: facetalk train {name}, then --set {option}=RUN")
