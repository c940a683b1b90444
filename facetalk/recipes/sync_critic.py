"""The recipe of the sync critic: does a mouth belong to the speech?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.data.dataset import DataConfig, Example, Sampler, read_example
from facetalk.data.manifest import read_clips
from facetalk.data.sampling import random_index
from facetalk.data.split import split_clips
from facetalk.io.weights import write_model
from facetalk.losses.critics import match_error
from facetalk.losses.geometry import MouthVertices
from facetalk.motion.heads import load_head_assets
from facetalk.networks.critics import SYNC_FRAMES, SyncCritic, SyncCriticConfig
from facetalk.networks.registry import load_speech
from facetalk.recipes.base import ConfiguredRecipe, RunConfig

VALIDATION_BATCHES = 12


@dataclass(frozen=True)
class SyncCriticTrainingConfig(RunConfig):
    """Configuration of a run."""

    head: str = "facetalk"
    speech: str = "speech-encoder"
    num_vertices: int = 48
    """Number of mouth vertices that the critic sees."""
    data: DataConfig = field(default_factory=DataConfig)
    critic: SyncCriticConfig = field(default_factory=SyncCriticConfig)


class SyncBatch(NamedTuple):
    """Mouths with their own speech and with other speech."""

    expression: Float[Tensor, "batch frames n_expression"]
    weight: Float[Tensor, "batch frames"]
    features: Float[Tensor, "batch frames features"]
    other_features: Float[Tensor, "batch frames features"]
    """Of speech that does not belong to the mouths."""


class SyncCriticTask:
    """The critic, and pairs of mouths and speech that match or not."""

    def __init__(
        self,
        config: SyncCriticTrainingConfig,
        critic: SyncCritic,
        mouth: MouthVertices,
        train: Sequence[Example],
        validation: Sequence[Example],
    ) -> None:
        self.config = config
        self.model = critic
        self.mouth = mouth
        self.fixed_modules: Sequence[nn.Module] = (mouth,)
        self.loss_weights: Mapping[str, float] = {"match": 1.0}
        self.sampler = Sampler(train, config.data)
        self.validation = Sampler(validation, config.data) if validation else None
        features = torch.cat([example.features[0] for example in train])
        critic.speech_mean.copy_(features.mean(0))
        critic.speech_scale.copy_(features.std(0).clamp_min(1e-3))

    def sample(self, generator: torch.Generator) -> SyncBatch:
        """Excerpts of the training clips."""
        return _with_other_speech(self.sampler, generator)

    def loss_terms(self, step: int, batch: SyncBatch) -> dict[str, Tensor]:
        """Binary cross entropy over as many matching as non-matching pairs."""
        right, wrong = self._similarities(batch)
        present = batch.weight.unfold(1, SYNC_FRAMES, 1).amin(2) > 0
        similarity = torch.cat([right[present], wrong[present]])
        matching = torch.cat([torch.ones_like(right[present]), torch.zeros_like(wrong[present])])
        return {"match": match_error(similarity, matching)}

    def validate(self) -> dict[str, float]:
        """Accuracies on speakers that are not in the training set; guessing gives 0.5.

        `moment_accuracy` classifies single moments (5 frames) and `stretch_accuracy` excerpts, by the best threshold on
        the similarity. `choice_accuracy` is how often an excerpt has a higher mean similarity with its own speech than
        with shifted speech or that of another clip.
        """
        if self.validation is None:
            return {}
        generator = torch.Generator().manual_seed(0)
        pairs = [self._similarities(_with_other_speech(self.validation, generator)) for _ in range(VALIDATION_BATCHES)]
        right, wrong = (torch.cat([pair[side] for pair in pairs]) for side in (0, 1))
        means = right.mean(1), wrong.mean(1)
        return {
            "moment_accuracy": best_accuracy(right.flatten(), wrong.flatten()),
            "stretch_accuracy": best_accuracy(*means),
            "choice_accuracy": float((means[0] > means[1]).float().mean()),
        }

    def export(self, run_dir: Path) -> None:
        """Write the folder that `sync_critic` of a StyleTalk run names."""
        described = {"speech": self.config.speech, "head": self.config.head, "num_vertices": len(self.mouth.rest)}
        described |= {"num_features": len(self.model.speech_mean), "network": plain(self.config.critic)}
        write_model(run_dir, self.model, "sync-critic", "sync-critic", described)

    def _similarities(self, batch: SyncBatch) -> tuple[Tensor, Tensor]:
        """Similarity of every moment with its own speech, and with other speech."""
        mouth = self.mouth(batch.expression)
        right = self.model(mouth, self.mouth.rest, batch.features)
        return right, self.model(mouth, self.mouth.rest, batch.other_features)


def _with_other_speech(sampler: Sampler, generator: torch.Generator) -> SyncBatch:
    batch = sampler.sample(generator)
    return SyncBatch(batch.expression, batch.weight, batch.features, mismatched(batch.features, generator))


def mismatched(
    features: Float[Tensor, "batch frames features"], generator: torch.Generator
) -> Float[Tensor, "batch frames features"]:
    """Speech that does not belong: half of the rows shifted in time by at least 5 frames, half from another clip."""
    batch, frames = features.shape[:2]
    shift = 5 + random_index(max(1, frames - 10), generator)
    shifted, foreign = features.roll(shift, 1), features.roll(1, 0)
    own = torch.arange(batch) % 2 == 0
    return torch.where(own[:, None, None], shifted, foreign)


def best_accuracy(right: Float[Tensor, " right"], wrong: Float[Tensor, " wrong"]) -> float:
    """Accuracy of the best threshold: mean of the share of `right` above it and the share of `wrong` below it."""
    thresholds = torch.cat([right, wrong]).quantile(torch.linspace(0, 1, 51))
    above = (right[:, None] > thresholds).float().mean(0)
    below = (wrong[:, None] <= thresholds).float().mean(0)
    return float(((above + below) / 2).max())


def make_task(config: SyncCriticTrainingConfig, data_dir: Path | None) -> SyncCriticTask:
    """Read the dataset and build the critic with initial weights."""
    clips = [clip for clip in read_clips(data_dir, "sync-critic") if clip.has_audio]
    speech = load_speech(config.speech)
    parts = split_clips(clips, config.data.dev_speakers)
    train, validation = ([read_example(clip, speech.encode, config.data) for clip in part] for part in parts)
    mouth = MouthVertices(load_head_assets(config.head), config.num_vertices)
    return SyncCriticTask(config, SyncCritic(speech.width, config.critic), mouth, train, validation)


RECIPE = ConfiguredRecipe(SyncCriticTrainingConfig, make_task)
