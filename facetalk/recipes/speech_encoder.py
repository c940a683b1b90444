"""The recipe of the speech encoder: phonemes, articulation, a teacher's features, and the mouth where it was filmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.augment import augment_mel, augment_waveform
from facetalk.audio.spectrogram import LogMel
from facetalk.core.config import plain
from facetalk.core.errors import UsageError
from facetalk.data.manifest import read_manifest
from facetalk.data.speech import SpeechExample, read_speech
from facetalk.data.split import split_clips
from facetalk.io.weights import write_model
from facetalk.networks.registry import load
from facetalk.networks.speech_encoder import SpeechEncoder, SpeechEncoderConfig, SpeechHeads, leveled
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.speech_encoder import evaluate_encoder
from facetalk.recipes.parts.speech_losses import SpeechLossWeights, speech_terms
from facetalk.recipes.parts.speech_sampler import SpeechBatch, SpeechDataConfig, SpeechSampler
from facetalk.training.device import autocast


@dataclass(frozen=True)
class SpeechTrainingConfig(RunConfig):
    """Configuration of a run."""

    start: str = ""
    """An encoder to start from, the bundled `speech-encoder` or a folder; its layers come first, and further ones
    change nothing at first. Initial weights if empty."""
    bfloat16: bool = True
    """Compute the network in bfloat16 in training, which is twice as fast on a CPU that supports it."""
    data: SpeechDataConfig = field(default_factory=SpeechDataConfig)
    encoder: SpeechEncoderConfig = field(default_factory=SpeechEncoderConfig)
    loss_weights: SpeechLossWeights = field(default_factory=SpeechLossWeights)


class AugmentedBatch(NamedTuple):
    """Augmented spectrograms, and the excerpts that they were computed from."""

    mel: Float[Tensor, "batch steps mels"]
    excerpts: SpeechBatch


class SpeechEncoderTask:
    """The encoder, its batches and its losses."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(
        self,
        config: SpeechTrainingConfig,
        encoder: SpeechEncoder,
        train: Sequence[SpeechExample],
        validation: Sequence[SpeechExample],
    ) -> None:
        self.config = config
        self.model = encoder
        self.log_mel = LogMel()
        self.sampler = SpeechSampler(train, config.data, config.encoder.hidden, self._levels)
        self.validation = validation
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        if not config.start:
            self._set_statistics()

    def sample(self, generator: torch.Generator) -> AugmentedBatch:
        """Excerpts of the training recordings, augmented; the labels stay those of the clean audio."""
        batch = self.sampler.sample(generator)
        waveform = augment_waveform(batch.waveform, self.config.data.augment, generator)
        mel = augment_mel(leveled(self.log_mel(waveform), batch.level), self.config.data.augment, generator)
        return AugmentedBatch(mel, batch)

    def loss_terms(self, step: int, batch: AugmentedBatch) -> dict[str, Tensor]:
        """See `speech_terms`."""
        with autocast(batch.mel.device, self.config.bfloat16):
            heads = self.model(batch.mel, batch.excerpts.labels.shape[1])
        return speech_terms(SpeechHeads(*(part.float() for part in heads)), batch.excerpts)

    def validate(self) -> dict[str, float]:
        """Metrics on the validation speakers."""
        return evaluate_encoder(self.model, self.validation, self.config.data) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        described = {"network": plain(self.config.encoder)}
        write_model(run_dir, self.model, "speech-encoder", "speech-encoder", described)

    def _levels(self, waveform: Float[Tensor, " samples"]) -> Float[Tensor, " levels"]:
        """Level of each row of a recording's spectrogram, or one for all."""
        return self.model.levels(self.log_mel(waveform[None]).logsumexp(2))[0]

    def _set_statistics(self) -> None:
        """Set the mean and spread of the mel bands to those of some clean batches."""
        generator = torch.Generator().manual_seed(self.config.loop.seed)
        batches = [self.sampler.sample(generator) for _ in range(4)]
        mels = [leveled(self.log_mel(batch.waveform), batch.level).flatten(0, 1) for batch in batches]
        self.model.mel_mean.copy_(torch.cat(mels).mean(0))
        self.model.mel_std.copy_(torch.cat(mels).std(0).clamp_min(0.1))


def make_task(config: SpeechTrainingConfig, data_dir: Path | None) -> SpeechEncoderTask:
    """Read the recordings and build the encoder with initial weights."""
    if data_dir is None:
        raise UsageError(
            "speech-encoder is trained on recordings: give --data DIR, a speech folder (see facetalk/data/speech.py)"
        )
    train, validation = split_clips(read_manifest(data_dir), config.data.dev_speakers)
    encoder = SpeechEncoder(config.encoder)
    if config.start:
        _start(encoder, config.start)
    return SpeechEncoderTask(
        config, encoder, [read_speech(clip) for clip in train], [read_speech(clip) for clip in validation]
    )


def _start(encoder: SpeechEncoder, name: str) -> None:
    try:
        encoder.continue_from(load("speech-encoder", name))
    except ValueError as error:
        raise UsageError(f"start={name}: {error}") from None


RECIPE = ConfiguredRecipe(SpeechTrainingConfig, make_task)
