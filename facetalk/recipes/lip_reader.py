"""The recipe of the lip reader: phonemes that a speech encoder hears, from video of the mouth.

The features also predict the distances between the lips, which every frame shows, and the positions of the
articulators: a few thousand steps on phonemes alone hardly make the network look at the lips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import IBUG_LIP_SHAPE_PAIRS
from facetalk.data.face_corpus import read_corpus
from facetalk.data.faces import FaceDataConfig, FaceExample, mouth_images
from facetalk.data.patterns import first_match
from facetalk.data.sampling import random_index
from facetalk.data.tracked_renderer import TrackedRenderer, rendered_mouths
from facetalk.io.weights import write_model
from facetalk.losses.perceptual import mouth_distances
from facetalk.motion.heads import load_head
from facetalk.networks.experts import MOUTH_SIDE
from facetalk.networks.lip_reader import LipReaderConfig, PhonemeLipReader
from facetalk.networks.registry import load
from facetalk.networks.speech_encoder import SpeechEncoder
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.lip_reader import LabeledMouth, evaluate_reader
from facetalk.recipes.parts.phoneme_labels import is_synced, phoneme_posteriors, speech_features
from facetalk.training.device import autocast

SIDES = (80, 96)
"""Smallest and largest part of a stored mouth that a training example shows, pixels."""


@dataclass(frozen=True)
class LipReaderLossWeights:
    """Weight of each term."""

    phonemes: float = 1.0
    shape: float = 0.5
    articulation: float = 0.5


@dataclass(frozen=True)
class LipReaderTrainingConfig(RunConfig):
    """Configuration of a run."""

    start: str = ""
    """Folder of a lip reader to start from; initial weights if empty."""

    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    speech: str = "speech-encoder"
    """The speech encoder that labels the phonemes."""
    render_share: float = 0.3
    """Share of the examples that are renders of the fitted motion."""
    render_every: int = 3
    """Every n-th clip is rendered."""
    bfloat16: bool = True
    """Compute the network in bfloat16 in training."""
    data: FaceDataConfig = field(default_factory=FaceDataConfig)
    reader: LipReaderConfig = field(default_factory=LipReaderConfig)
    loss_weights: LipReaderLossWeights = field(default_factory=LipReaderLossWeights)


class MouthBatch(NamedTuple):
    """Excerpts of clips."""

    mouths: Float[Tensor, "batch frames 88 88"]
    posteriors: Float[Tensor, "batch frames phonemes"]
    articulation: Float[Tensor, "batch frames articulators"]
    """Standardized, like `shape`."""
    shape: Float[Tensor, "batch frames distances"]
    trusted: Float[Tensor, "batch frames"]


class Scale(NamedTuple):
    """Mean and standard deviation of some measures."""

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, rows: Float[Tensor, "frames measures"]) -> Scale:
        """The scale of the given rows."""
        return cls(rows.mean(0), rows.std(0).clamp_min(1e-4))

    def apply(self, rows: Float[Tensor, "frames measures"]) -> Float[Tensor, "frames measures"]:
        """Standardize rows."""
        return (rows - self.mean) / self.spread


class LipReaderTask:
    """The reader, its batches and its losses."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(
        self,
        config: LipReaderTrainingConfig,
        reader: PhonemeLipReader,
        train: Sequence[LabeledMouth],
        validation: Sequence[LabeledMouth],
    ) -> None:
        self.config = config
        self.model = reader
        self.train = [clip for clip in train if len(clip.posteriors) >= config.data.clip_frames]
        if not self.train:
            raise FacetalkError("there is no clip with audio to train on; check the dataset and dev_speakers")
        self.validation = validation
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        self.shape_scale = Scale.of(torch.cat([clip.shape for clip in self.train]))
        self.articulation_scale = Scale.of(torch.cat([clip.articulation for clip in self.train]))
        weights = [first_match(c.speaker, config.data.shares, 1.0) * len(c.posteriors) for c in self.train]
        self.weights = torch.tensor(weights, dtype=torch.float64)
        self.prior = torch.cat([clip.posteriors for clip in self.train]).mean(0)

    def sample(self, generator: torch.Generator) -> MouthBatch:
        """Excerpts of the training clips, shifted, scaled, mirrored and in other light."""
        chosen = torch.multinomial(self.weights, self.config.data.batch_size, replacement=True, generator=generator)
        rows = [self._excerpt(self.train[int(index)], generator) for index in chosen]
        return MouthBatch(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    def loss_terms(self, step: int, batch: MouthBatch) -> dict[str, Tensor]:
        """Cross entropy with the speech encoder's posteriors, squared errors of lip distances and articulators."""
        with autocast(batch.mouths.device, self.config.bfloat16):
            features = self.model.features(batch.mouths)
            logits, shape = self.model.phonemes(features), self.model.to_shape(features)
            articulation = self.model.to_articulation(features)
        weight = batch.trusted / batch.trusted.sum().clamp_min(1.0)
        rows = {
            "phonemes": -(batch.posteriors * logits.float().log_softmax(-1)).sum(-1),
            "shape": (shape.float() - batch.shape).square().mean(-1),
            "articulation": (articulation.float() - batch.articulation).square().mean(-1),
        }
        return {name: (values * weight).sum() for name, values in rows.items()}

    def _excerpt(self, clip: LabeledMouth, generator: torch.Generator) -> MouthBatch:
        length = self.config.data.clip_frames
        start = random_index(len(clip.posteriors) - length + 1, generator)
        part = slice(start, start + length)
        noise = torch.rand(6, generator=generator)
        crops = clip.mouths
        if clip.rendered is not None and noise[0] < self.config.render_share * self.config.render_every:
            crops = clip.rendered
        side = 2 * int(SIDES[0] / 2 + noise[5] * (SIDES[1] - SIDES[0] + 2) / 2)
        room = (crops.shape[1] - side) // 2
        shift = ((2 * room + 1) * noise[1:3]).long() - room
        mouths = mouth_images(crops[part], (int(shift[0]), int(shift[1])), side)
        if side != MOUTH_SIDE:
            size = (MOUTH_SIDE, MOUTH_SIDE)
            mouths = torch.nn.functional.interpolate(mouths[None], size, mode="bilinear", align_corners=False)[0]
        if torch.rand((), generator=generator) < 0.5:
            mouths = mouths.flip(-1)
        # Brightness and contrast belong to the camera, not to the speaker.
        mean = mouths.mean()
        mouths = ((mouths - mean) * (0.7 + 0.6 * noise[3]) + mean + 0.3 * (noise[4] - 0.5)).clamp(0, 1)
        return MouthBatch(
            mouths=mouths,
            posteriors=clip.posteriors[part],
            articulation=self.articulation_scale.apply(clip.articulation[part]),
            shape=self.shape_scale.apply(clip.shape[part] * (MOUTH_SIDE / side)),
            trusted=clip.trusted[part],
        )

    def validate(self) -> dict[str, float]:
        """Metrics on the validation speakers, on video and (`render_*`) on renders, beside those of the prior."""
        figures = evaluate_reader(self.model, [(clip.mouths, clip) for clip in self.validation], self.prior)
        rendered = [(clip.rendered, clip) for clip in self.validation if clip.rendered is not None]
        on_render = evaluate_reader(self.model, rendered, self.prior)
        return figures | {f"render_{name}": value for name, value in on_render.items() if not name.startswith("prior")}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        described = {"network": plain(self.config.reader)}
        write_model(run_dir, self.model, "lip-reader", "lip-reader", described)


def labeled_mouth(
    example: FaceExample, speech: SpeechEncoder, config: FaceDataConfig, renderer: TrackedRenderer | None
) -> LabeledMouth:
    """The mouth crops of a clip with labels from its audio and its landmarks; rendered too if there is a renderer."""
    features = speech_features(example, speech, config)
    return LabeledMouth(
        speaker=example.clip.speaker,
        mouths=example.crops.mouths,
        posteriors=phoneme_posteriors(features, speech),
        articulation=features[:, speech.slices["articulation"]],
        shape=lip_distances(example),
        trusted=example.trusted,
        rendered=None if renderer is None else rendered_mouths(example, renderer),
    )


def lip_distances(example: FaceExample) -> Float[Tensor, "frames distances"]:
    """Distances of `IBUG_LIP_SHAPE_PAIRS` relative to the side of the face box."""
    return mouth_distances(example.track.landmarks)[:, -len(IBUG_LIP_SHAPE_PAIRS) :] / example.track.face_boxes[:, 2:]


def make_task(config: LipReaderTrainingConfig, data_dir: Path | None) -> LipReaderTask:
    """Read the dataset, label its clips from their audio, and render every n-th of them."""
    corpus = read_corpus(data_dir, config.data, "lip-reader")
    speech = load("speech-encoder", config.speech)
    renderer = TrackedRenderer(load_head(config.head))
    parts = []
    for examples in corpus:
        synced = [example for example in examples if is_synced(example)]
        renderers = [renderer if index % config.render_every == 0 else None for index in range(len(synced))]
        parts.append([labeled_mouth(e, speech, config.data, r) for e, r in zip(synced, renderers, strict=True)])
    train, validation = parts
    reader = PhonemeLipReader(config.reader)
    if config.start:
        reader.load_state_dict(load("lip-reader", config.start).state_dict())
    return LipReaderTask(config, reader, train, validation)


RECIPE = ConfiguredRecipe(LipReaderTrainingConfig, make_task)
