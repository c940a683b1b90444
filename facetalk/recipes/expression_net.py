"""The recipe of the expression network: emotions by the labels of clips, and the tracker's channels on all clips.

Labeled clips are few. The features also predict the channels, on video and on renders alike: this keeps them from
memorizing a few people, and makes a render and a video of the same expression look alike to the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.core.emotions import EMOTIONS
from facetalk.core.errors import FacetalkError
from facetalk.data.face_corpus import FaceCorpus, read_corpus
from facetalk.data.faces import FaceDataConfig, face_images
from facetalk.data.patterns import first_match
from facetalk.data.sampling import random_index
from facetalk.data.tracked_renderer import TrackedRenderer, clip_light
from facetalk.io.weights import write_model
from facetalk.motion.heads import load_head
from facetalk.networks.expression_net import ExpressionNet, ExpressionNetConfig
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.expression_net import (
    channel_correlation,
    emotion_accuracy,
    with_emotion,
)
from facetalk.recipes.parts.face_augmentation import vary_image
from facetalk.training.device import autocast


@dataclass(frozen=True)
class ExpressionLossWeights:
    """Weight of each term."""

    emotion: float = 1.0
    channels: float = 1.0


@dataclass(frozen=True)
class ExpressionTrainingConfig(RunConfig):
    """Configuration of a run."""

    bfloat16: bool = True
    """Compute the network in bfloat16 in training."""
    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    render_share: float = 0.4
    """Share of renders among the images whose channels are predicted."""
    smoothing: float = 0.1
    """Label smoothing: a clip does not show its emotion in every frame."""
    data: FaceDataConfig = field(default_factory=FaceDataConfig)
    net: ExpressionNetConfig = field(default_factory=ExpressionNetConfig)
    loss_weights: ExpressionLossWeights = field(default_factory=ExpressionLossWeights)


class ExpressionBatch(NamedTuple):
    """Images with an emotion, then as many images with channels."""

    images: Float[Tensor, "images 3 height columns"]
    emotions: Int64[Tensor, " half"]
    channels: Float[Tensor, "half n_expression"]
    """Standardized."""


class ExpressionNetTask:
    """The network, its batches and its losses."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(
        self, config: ExpressionTrainingConfig, net: ExpressionNet, renderer: TrackedRenderer, corpus: FaceCorpus
    ) -> None:
        labeled = with_emotion(corpus.train)
        if not labeled:
            raise FacetalkError(f"no clip has one of the labels {', '.join(EMOTIONS)}; give fit a table with --about")
        self.config = config
        self.model = net
        self.renderer = renderer
        self.corpus = corpus
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        weights = [first_match(e.clip.speaker, config.data.shares, 1.0) * e.num_frames for e in corpus.train]
        self.weights = torch.tensor(weights, dtype=torch.float64)
        every = torch.cat([example.expression for example in corpus.train])
        self.mean, self.spread = every.mean(0), every.std(0).clamp_min(0.03)
        self.lights: dict[int, Tensor] = {}
        kinds = {clip.emotion for clip in labeled}
        self.members = {kind: [clip for clip in labeled if clip.emotion == kind] for kind in kinds}
        self.counts = torch.bincount(torch.tensor([clip.emotion for clip in labeled]), minlength=len(EMOTIONS))

    def sample(self, generator: torch.Generator) -> ExpressionBatch:
        """Images with equally frequent emotions, and images of any clips."""
        kinds = sorted(self.members)
        emotions = [kinds[random_index(len(kinds), generator)] for _ in range(self.config.data.batch_size)]
        labeled = [self._emotion_image(kind, generator) for kind in emotions]
        tracked, channels = zip(*(self._tracked_image(generator) for _ in emotions), strict=True)
        standardized = (torch.stack(channels) - self.mean) / self.spread
        return ExpressionBatch(torch.cat([*labeled, *tracked]), torch.tensor(emotions), standardized)

    def loss_terms(self, step: int, batch: ExpressionBatch) -> dict[str, Tensor]:
        """Cross entropy of the emotions and squared error of the channels."""
        half = len(batch.emotions)
        with autocast(batch.images.device, self.config.bfloat16):
            features = self.model.features(batch.images)
            logits = self.model.classifier(self.model.dropout(features[:half]))
            channels = self.model.to_channels(features[half:])
        smoothing = self.config.smoothing
        emotion = nn.functional.cross_entropy(logits.float(), batch.emotions, label_smoothing=smoothing)
        return {"emotion": emotion, "channels": (channels.float() - batch.channels).square().mean()}

    def _tracked_image(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A frame of any clip, or a render of its fit, and its channels."""
        index = int(torch.multinomial(self.weights, 1, generator=generator))
        example = self.corpus.train[index]
        frame = random_index(example.num_frames, generator)
        if torch.rand((), generator=generator) < self.config.render_share:
            if index not in self.lights:
                self.lights[index] = clip_light(example, self.renderer)
            image = self.renderer.portraits(example, torch.tensor([frame]), self.lights[index])
        else:
            image = face_images(example.crops.faces[frame : frame + 1])
        return vary_image(image, generator), example.expression[frame]

    def _emotion_image(self, kind: int, generator: torch.Generator) -> Tensor:
        """A frame with an emotion; all speakers are equally frequent, however many clips they have."""
        speakers = sorted({clip.speaker for clip in self.members[kind]})
        speaker = speakers[random_index(len(speakers), generator)]
        clips = [clip for clip in self.members[kind] if clip.speaker == speaker]
        faces = clips[random_index(len(clips), generator)].faces
        frame = random_index(len(faces), generator)
        low, high = self.config.data.scales
        scale = low + (high - low) * float(torch.rand((), generator=generator))
        image = vary_image(face_images(faces[frame : frame + 1], scale, self.model.image_size), generator)
        return image.flip(-1) if torch.rand((), generator=generator) < 0.5 else image

    def validate(self) -> dict[str, float]:
        """Metrics on the validation speakers, beside those of always predicting the most frequent emotion."""
        figures = emotion_accuracy(self.model, with_emotion(self.corpus.validation), int(self.counts.argmax()))
        if not figures:
            return {}
        return figures | channel_correlation(self.model, self.corpus.validation, self.spread)

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        described = {"network": plain(self.config.net)}
        write_model(run_dir, self.model, "expression-net", "expression-net", described)


def make_task(config: ExpressionTrainingConfig, data_dir: Path | None) -> ExpressionNetTask:
    """Read the clips of the dataset and build the network with initial weights."""
    corpus = read_corpus(data_dir, config.data, "expression-net")
    renderer = TrackedRenderer(load_head(config.head))
    return ExpressionNetTask(config, ExpressionNet(config.net), renderer, corpus)


RECIPE = ConfiguredRecipe(ExpressionTrainingConfig, make_task)
