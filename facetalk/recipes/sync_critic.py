"""Training the sync critic: does this mouth belong to this speech? (METHODS 3.6)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facetalk.core.config import build, plain
from facetalk.data.dataset import Batch, DataConfig, Example, Sampler, read_example
from facetalk.data.manifest import read_clips, split_by_speaker
from facetalk.io.heads import read_head
from facetalk.io.weights import write_model
from facetalk.losses.critics import match_error
from facetalk.losses.geometry import MouthVertices
from facetalk.networks.critics import SYNC_FRAMES, SyncCritic, SyncCriticConfig
from facetalk.networks.registry import load_speech
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig


@dataclass(frozen=True)
class SyncCriticTrainingConfig:
    """A whole run."""

    head: str = "facetalk"
    speech: str = "speech-encoder"
    num_vertices: int = 48
    """Of the mouth, that the critic sees."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: DataConfig = field(default_factory=DataConfig)
    critic: SyncCriticConfig = field(default_factory=SyncCriticConfig)


class SyncCriticTask:
    """The critic, and pairs of mouths and speech that match or do not."""

    def __init__(
        self,
        config: SyncCriticTrainingConfig,
        critic: SyncCritic,
        mouth: MouthVertices,
        learn: list[Example],
        judge: list[Example],
    ) -> None:
        self.config = config
        self.model = critic
        self.mouth = mouth
        self.loss_weights = {"match": 1.0}
        self.sampler = Sampler(learn, config.data)
        self.judge = Sampler(judge, config.data) if judge else None
        features = torch.cat([example.features[0] for example in learn])
        critic.speech_mean.copy_(features.mean(0))
        critic.speech_scale.copy_(features.std(0).clamp_min(1e-3))

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """Binary cross entropy over as many matching pairs as others."""
        likeness, matching = self._pairs(self.sampler.draw(chance), chance)
        return {"match": match_error(likeness, matching)}

    def validate(self) -> dict[str, float]:
        """Share of single moments (5 frames) of unseen speakers that are told apart, 0.5 by chance; and of stretches.

        `moment` and `stretch` use the best threshold on likeness; `choice` is how often a stretch of 64 frames has a
        higher mean likeness with its own speech than with a shifted or a foreign one.
        """
        if self.judge is None:
            return {}
        chance = torch.Generator().manual_seed(0)
        pairs = [self._stretches(self.judge.draw(chance), chance) for _ in range(12)]
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

    def _stretches(self, batch: Batch, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """Likeness of every moment with its own speech, and with other speech."""
        mouth = self.mouth(batch.expression)
        right = self.model(mouth, self.mouth.rest, batch.features)
        return right, self.model(mouth, self.mouth.rest, mismatched(batch.features, chance))

    def _pairs(self, batch: Batch, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        right, wrong = self._stretches(batch, chance)
        present = batch.weight.unfold(1, SYNC_FRAMES, 1).amin(2) > 0
        kept = torch.cat([right[present], wrong[present]])
        return kept, torch.cat([torch.ones_like(right[present]), torch.zeros_like(wrong[present])])


def mismatched(features: Tensor, chance: torch.Generator) -> Tensor:
    """Speech that does not belong: half the rows shifted in time by at least 5 frames, half from another clip."""
    batch, frames = features.shape[:2]
    shift = 5 + int(torch.randint(max(1, frames - 10), (), generator=chance))
    shifted, foreign = features.roll(shift, 1), features.roll(1, 0)
    own = torch.arange(batch) % 2 == 0
    return torch.where(own[:, None, None], shifted, foreign)


def best_accuracy(right: Tensor, wrong: Tensor) -> float:
    """Share told apart by the best threshold: half of what is above it among `right`, below it among `wrong`."""
    thresholds = torch.cat([right, wrong]).quantile(torch.linspace(0, 1, 51))
    above = (right[:, None] > thresholds).float().mean(0)
    below = (wrong[:, None] <= thresholds).float().mean(0)
    return float(((above + below) / 2).max())


def read_task_config(options: Mapping[str, Any]) -> SyncCriticTrainingConfig:
    """The run that a configuration describes."""
    return build(SyncCriticTrainingConfig, options)


def make_task(config: SyncCriticTrainingConfig, data_dir: Path | None) -> SyncCriticTask:
    """Read the dataset and build the critic with fresh weights."""
    clips = [clip for clip in read_clips(data_dir, "sync-critic") if clip.has_audio]
    speech = load_speech(config.speech)
    parts = split_by_speaker(clips, config.data.dev_speakers)
    learn, judge = ([read_example(clip, speech.encode, config.data) for clip in part] for part in parts)
    mouth = MouthVertices(read_head(config.head), config.num_vertices)
    return SyncCriticTask(config, SyncCritic(speech.width, config.critic), mouth, learn, judge)
