"""Critics that have learned and now only judge: gradients go through them, not into them (METHODS 7.4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.errors import UsageError
from facetalk.head.assets import HeadAssets
from facetalk.losses.geometry import MouthVertices
from facetalk.networks.critics import StyleCritic, SyncCritic
from facetalk.networks.experts import frozen
from facetalk.networks.registry import describe, load


class FrozenSyncCritic:
    """Likeness of mouth and speech."""

    def __init__(self, critic: SyncCritic, mouth: MouthVertices) -> None:
        self.critic, self.mouth = frozen(critic), mouth

    @classmethod
    def read(cls, folder: str, assets: HeadAssets, num_features: int) -> FrozenSyncCritic:
        """The critic in a folder of `facetalk train sync-critic`."""
        _require(folder, "sync-critic", "loss_weights.sync")
        about = describe("sync-critic", folder).entries
        if about["num_features"] != num_features:
            raise UsageError(f"{folder} compares {about['num_features']} speech features; this run has {num_features}")
        return cls(load("sync-critic", folder), MouthVertices(assets, about["num_vertices"]))

    def __call__(
        self,
        expression: Float[Tensor, "batch frames n_expression"],
        features: Float[Tensor, "batch frames features"],
        weight: Float[Tensor, "batch frames"],
    ) -> tuple[Float[Tensor, "batch inner_frames"], Float[Tensor, "batch inner_frames"]]:
        """Likeness and weight of the frames that have two neighbours on each side."""
        likeness = self.critic(self.mouth(expression), self.mouth.rest, features)
        margin = (weight.shape[1] - likeness.shape[1]) // 2
        return likeness, weight.unfold(1, 2 * margin + 1, 1).amin(2)


class FrozenStyleCritic:
    """Whose manner a motion is in."""

    def __init__(self, critic: StyleCritic, styles: Sequence[str]) -> None:
        self.critic, self.styles = frozen(critic), {style: index for index, style in enumerate(styles)}

    @classmethod
    def read(cls, folder: str) -> FrozenStyleCritic:
        """The critic in a folder of `facetalk train style-critic`."""
        _require(folder, "style-critic", "loss_weights.style")
        return cls(load("style-critic", folder), describe("style-critic", folder).entries["styles"])

    def error(self, motion: Float[Tensor, "batch frames n_expression"], styles: Sequence[str]) -> Float[Tensor, ""]:
        """Cross entropy of the true styles; of motions in styles that the critic does not know nothing is said."""
        known = [row for row, style in enumerate(styles) if style in self.styles]
        if not known:
            return motion.new_zeros(())
        target = torch.tensor([self.styles[styles[row]] for row in known], device=motion.device)
        return nn.functional.cross_entropy(self.critic(motion[known]), target)


def _require(folder: str, name: str, weight: str) -> None:
    if not folder or not (Path(folder) / "model.safetensors").is_file():
        found = f"there is none in {folder!r}" if folder else "none is given"
        option = name.replace("-", "_")
        raise UsageError(f"{weight} needs a critic and {found}: facetalk train {name}, then --set {option}=RUN")
