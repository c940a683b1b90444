"""The recipe of the laughter detector: few recorded laughs, many generated ones, and much speech without laughter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.audio.augment import augment_mel, augment_waveform
from facetalk.core.config import plain
from facetalk.core.errors import UsageError
from facetalk.data.laughter import LaughterExample, read_laughter_pack
from facetalk.data.laughter_mixing import LaughterDataConfig, LaughterSampler
from facetalk.data.manifest import split_by_speaker
from facetalk.io.weights import write_model
from facetalk.networks.laughter_detector import LaughterDetector, LaughterDetectorConfig
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.laughter import evaluate_detector


@dataclass(frozen=True)
class LaughterLossWeights:
    """Weight of each term."""

    frames: float = 1.0


@dataclass(frozen=True)
class LaughterTrainingConfig(RunConfig):
    """Configuration of a run."""

    data: LaughterDataConfig = field(default_factory=LaughterDataConfig)
    detector: LaughterDetectorConfig = field(default_factory=LaughterDetectorConfig)
    loss_weights: LaughterLossWeights = field(default_factory=LaughterLossWeights)


class MelBatch(NamedTuple):
    """Augmented spectrograms and the labels of their video frames."""

    mel: Float[Tensor, "batch steps mels"]
    laughing: Float[Tensor, "batch frames"]
    weight: Float[Tensor, "batch frames"]


class LaughterTask:
    """The detector, its batches and its loss."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(
        self,
        config: LaughterTrainingConfig,
        detector: LaughterDetector,
        train: Sequence[LaughterExample],
        validation: Sequence[LaughterExample],
    ) -> None:
        self.config = config
        self.model = detector
        self.sampler = LaughterSampler(train, config.data, config.loop.seed)
        self.validation = validation
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        self.pool = self._mix(torch.Generator().manual_seed(config.loop.seed))
        self.model.mel_mean.copy_(self.pool.mel.float().mean((0, 1)))
        self.model.mel_std.copy_(self.pool.mel.float().std((0, 1)).clamp_min(0.1))

    def sample(self, generator: torch.Generator) -> MelBatch:
        """Examples of the pool, newly augmented."""
        rows = torch.randint(len(self.pool.mel), (self.config.data.batch_size,), generator=generator)
        mel = augment_mel(self.pool.mel[rows].float(), self.config.data.augment, generator)
        return MelBatch(mel, self.pool.laughing[rows], self.pool.weight[rows])

    def loss_terms(self, step: int, batch: MelBatch) -> dict[str, Tensor]:
        """Binary cross entropy over the frames."""
        logits = self.model(batch.mel, batch.laughing.shape[1])
        entropy = functional.binary_cross_entropy_with_logits(logits, batch.laughing, reduction="none")
        return {"frames": (entropy * batch.weight).sum() / batch.weight.sum()}

    def validate(self) -> dict[str, float]:
        """Metrics on the recordings of the validation speakers."""
        return evaluate_detector(self.model, self.validation) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        write_model(run_dir, self.model, "laughter-detector", "laughter", {"network": plain(self.config.detector)})

    @torch.no_grad()
    def _mix(self, generator: torch.Generator) -> MelBatch:
        """The pool of examples: log-mel relative to its level, in half precision."""
        mels, labels, weights = [], [], []
        for _ in range(self.config.data.pool_batches):
            batch = self.sampler.sample(generator)
            waveform = augment_waveform(batch.waveform, self.config.data.augment, generator)
            mels.append(self.model.leveled_mel(waveform).half())
            labels.append(batch.laughing)
            weights.append(batch.weight)
        return MelBatch(torch.cat(mels), torch.cat(labels), torch.cat(weights))


def make_task(config: LaughterTrainingConfig, data_dir: Path | None) -> LaughterTask:
    """Read the recordings and build the detector with initial weights."""
    if data_dir is None:
        raise UsageError(
            "laughter is trained on recordings: give --data DIR, a recording pack (see facetalk/data/laughter.py)"
        )
    examples = read_laughter_pack(data_dir, config.data.patterns, config.data.times)
    train, validation = split_by_speaker(examples, config.data.held_out)
    return LaughterTask(config, LaughterDetector(config.detector), train, validation)


RECIPE = ConfiguredRecipe(LaughterTrainingConfig, make_task)
