"""The recipe of LaughTalk's verbal encoder: a small wav2vec 2.0 that is taught like the speech encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from facetalk.audio.augment import augment_waveform
from facetalk.core.config import plain
from facetalk.core.errors import UsageError
from facetalk.data.manifest import read_manifest
from facetalk.data.speech import SpeechExample, read_speech
from facetalk.data.split import split_clips
from facetalk.io.weights import write_model
from facetalk.networks.probed_encoder import ProbedEncoder, ProbedEncoderConfig
from facetalk.networks.speech_encoder import SpeechHeads
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.speech_encoder import evaluate_encoder
from facetalk.recipes.parts.encoder_start import continue_from
from facetalk.recipes.parts.speech_losses import SpeechLossWeights, speech_terms
from facetalk.recipes.parts.speech_sampler import SpeechBatch, SpeechDataConfig, SpeechSampler
from facetalk.training.device import autocast


@dataclass(frozen=True)
class VerbalEncoderConfig(RunConfig):
    """Configuration of a run."""

    start: str = ""
    """A folder with a trained encoder to start from; initial weights if empty."""
    bfloat16: bool = True
    """Compute the network in bfloat16 in training where the processor is fast at it."""
    data: SpeechDataConfig = field(default_factory=SpeechDataConfig)
    network: ProbedEncoderConfig = field(default_factory=ProbedEncoderConfig)
    loss_weights: SpeechLossWeights = field(default_factory=SpeechLossWeights)


class VerbalEncoderTask:
    """The encoder, its batches and its losses."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(
        self, config: VerbalEncoderConfig, train: Sequence[SpeechExample], validation: Sequence[SpeechExample]
    ) -> None:
        self.config = config
        self.model = ProbedEncoder(config.network)
        if config.start:
            continue_from(self.model, config.start)
        self.sampler = SpeechSampler(train, config.data, config.network.hidden)
        self.validation = validation
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)

    def sample(self, generator: torch.Generator) -> SpeechBatch:
        """Excerpts of the training recordings, augmented; the labels stay those of the clean audio."""
        batch = self.sampler.sample(generator)
        return batch._replace(waveform=augment_waveform(batch.waveform, self.config.data.augment, generator))

    def loss_terms(self, step: int, batch: SpeechBatch) -> dict[str, Tensor]:
        """See `speech_terms`."""
        with autocast(batch.waveform.device, self.config.bfloat16):
            heads = self.model.speech(self.model(batch.waveform, batch.labels.shape[1]))
        return speech_terms(SpeechHeads(*(part.float() for part in heads)), batch)

    def validate(self) -> dict[str, float]:
        """Metrics on the validation speakers."""
        return evaluate_encoder(self.model, self.validation, self.config.data) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        write_model(run_dir, self.model, "wav2vec", "verbal-encoder", {"network": plain(self.config.network)})


def make_task(config: VerbalEncoderConfig, data_dir: Path | None) -> VerbalEncoderTask:
    """Read the recordings and build the encoder with initial weights."""
    if data_dir is None:
        raise UsageError(
            "verbal-encoder is trained on recordings: give --data DIR, a speech folder (see facetalk/data/speech.py)"
        )
    train, validation = split_clips(read_manifest(data_dir), config.data.dev_speakers)
    return VerbalEncoderTask(config, [read_speech(clip) for clip in train], [read_speech(clip) for clip in validation])


RECIPE = ConfiguredRecipe(VerbalEncoderConfig, make_task)
