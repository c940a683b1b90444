"""The recipe of SPECTRE's coarse encoder: it predicts the tracker's fit from one image and its landmarks.

With landmarks in every example the image network would learn little, so a share of the examples has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError
from facetalk.data.crops import KEPT_SCALE
from facetalk.data.face_corpus import read_corpus
from facetalk.data.faces import FaceDataConfig, FaceExample
from facetalk.data.patterns import first_match
from facetalk.data.tracked_renderer import TrackedRenderer, clip_light, head_places
from facetalk.io.weights import write_model
from facetalk.losses.geometry import LipGeometry
from facetalk.motion.face_scene import in_crop
from facetalk.motion.heads import load_head
from facetalk.motion.landmark_head import face_center
from facetalk.networks.face_encoder import CoarseEncoder, FaceCode, FaceEncoderConfig
from facetalk.networks.registry import load
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.coarse_encoder import LabeledFace, evaluate_coarse
from facetalk.recipes.parts.face_augmentation import (
    crop_part,
    labels_in_part,
    mirrored_code,
    mirrored_landmarks,
    vary_images,
)
from facetalk.training.device import autocast
from facetalk.vision.crop_view import into_crop

SHIFT_SPREAD, SIZE_SPREAD = 0.05, 0.07
"""Standard deviations that random crops add to the position (half crops) and to the size (as a share) of a face."""


@dataclass(frozen=True)
class CoarseLossWeights:
    """Weight of each term: squared errors in units of the usual spread."""

    expression: float = 1.0
    pose: float = 1.0
    camera: float = 1.0
    betas: float = 0.2
    gaze: float = 0.3
    light: float = 0.1
    lips: float = 0.3
    """In square millimeters: mouth landmarks, gap between the lips and width of the mouth."""


@dataclass(frozen=True)
class CoarseTrainingConfig(RunConfig):
    """Configuration of a run."""

    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    start: str = ""
    """Folder of a coarse encoder to start from; initial weights if empty."""
    bfloat16: bool = True
    """Compute the image network in bfloat16 in training."""
    without_landmarks: float = 0.5
    """Share of the examples without landmarks."""
    data: FaceDataConfig = field(default_factory=FaceDataConfig)
    encoder: FaceEncoderConfig = field(default_factory=FaceEncoderConfig)
    loss_weights: CoarseLossWeights = field(default_factory=CoarseLossWeights)


class FaceBatch(NamedTuple):
    """Single frames of any clips."""

    faces: Float[Tensor, "batch 3 112 112"]
    landmarks: Float[Tensor, "batch 68 2"]
    """NaN in examples without landmarks."""
    rows: Float[Tensor, "batch width"]
    """The joined code of each."""


class CoarseEncoderTask:
    """The coarse encoder, its batches and its losses."""

    def __init__(
        self,
        config: CoarseTrainingConfig,
        encoder: CoarseEncoder,
        lips: LipGeometry,
        train: Sequence[LabeledFace],
        validation: Sequence[LabeledFace],
    ) -> None:
        if not train:
            raise FacetalkError("there is no clip to train on; check the dataset and dev_speakers")
        self.config = config
        self.model = encoder
        self.lips = lips
        self.fixed_modules: Sequence[nn.Module] = (lips,)
        self.train, self.validation = train, validation
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        self.frames = torch.tensor([(clip, frame) for clip, face in enumerate(train) for frame in range(len(face))])
        weights = [first_match(face.speaker, config.data.shares, 1.0) * face.trusted for face in train]
        self.weights = torch.cat(weights).double()
        self.rows = [face.code.joined() for face in train]
        self._set_statistics()

    def _set_statistics(self) -> None:
        """Set the mean and spread of codes and landmarks in the encoder to those of the training frames."""
        trusted = torch.cat([face.trusted for face in self.train]) > 0
        rows = torch.cat(self.rows)[trusted]
        self.model.mean.copy_(rows.mean(0))
        self.model.spread.copy_(rows.std(0).clamp_min(0.02))
        landmarks = torch.cat([face.landmarks for face in self.train])[trusted]
        self.model.marks_mean.copy_(landmarks.mean(0))
        self.model.marks_spread.copy_(landmarks.std(0).clamp_min(0.01))
        # Random crops move and scale the face much more than the videos do.
        camera = FaceCode.split(self.model.spread[None], self.model.num_betas).camera
        size = FaceCode.split(self.model.mean[None], self.model.num_betas).camera[0, 0]
        camera[:] = torch.hypot(camera, torch.tensor([SIZE_SPREAD * float(size), SHIFT_SPREAD, SHIFT_SPREAD]))

    def sample(self, generator: torch.Generator) -> FaceBatch:
        """Frames in random crops and light, some blurred, half of them mirrored, some without landmarks."""
        config = self.config.data
        count = config.batch_size
        chosen = self.frames[torch.multinomial(self.weights, count, generator=generator)].tolist()
        faces = np.stack([self.train[clip].faces[frame] for clip, frame in chosen])
        landmarks = torch.stack([self.train[clip].landmarks[frame] for clip, frame in chosen])
        rows = torch.stack([self.rows[clip][frame] for clip, frame in chosen])
        noise = torch.rand(count, 8, generator=generator)
        low, high = config.scales
        part = ((low + (high - low) * noise[:, 0]) / KEPT_SCALE).clamp_max(1.0)
        shift = (1 - part)[:, None] * (2 * noise[:, 1:3] - 1) * 0.6
        images = vary_images(crop_part(faces, part, shift), noise[:, 3:6], generator)
        landmarks, rows = labels_in_part(landmarks, rows, part, shift, self.model.num_betas)
        turned = noise[:, 6] < 0.5
        mirror = mirrored_code(FaceCode.split(rows, self.model.num_betas)).joined()
        landmarks = torch.where(turned[:, None, None], mirrored_landmarks(landmarks), landmarks)
        unknown = noise[:, 7] < self.config.without_landmarks
        return FaceBatch(
            torch.where(turned[:, None, None, None], images.flip(-1), images),
            torch.where(unknown[:, None, None], torch.nan, landmarks),
            torch.where(turned[:, None], mirror, rows),
        )

    def loss_terms(self, step: int, batch: FaceBatch) -> dict[str, Tensor]:
        """See `coarse_terms`."""
        with autocast(batch.faces.device, self.config.bfloat16):
            features = self.model.backbone(2 * batch.faces - 1)
        return coarse_terms(self.model, self.lips, self.model.decode(features.float(), batch.landmarks), batch.rows)

    def validate(self) -> dict[str, float]:
        """Errors on the validation speakers, and those of the training data's mean."""
        return evaluate_coarse(self.model, self.lips, self.validation) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        described = {"head": self.config.head, "network": plain(self.config.encoder)}
        write_model(run_dir, self.model, "coarse-encoder", "coarse-encoder", described)


def coarse_terms(
    encoder: CoarseEncoder, lips: LipGeometry, found: Float[Tensor, "batch width"], true: Float[Tensor, "batch width"]
) -> dict[str, Tensor]:
    """Squared errors in units of each column's spread; those of the lips in square millimeters."""
    scaled = FaceCode.split((found - true) / encoder.spread, encoder.num_betas)
    error = FaceCode.split(found - true, encoder.num_betas).expression
    # In units of its spread, a channel that hardly ever moves would count as much as the jaw.
    importance = FaceCode.split(encoder.spread[None], encoder.num_betas).expression[0].clamp(0.02, 0.2).sqrt()
    return {
        "expression": (scaled.expression.square() * importance).mean() / importance.mean(),
        "pose": scaled.rotation.square().mean(),
        "camera": scaled.camera.square().mean(),
        "betas": scaled.betas.square().mean(),
        "gaze": scaled.gaze.square().mean(),
        "light": scaled.light.square().mean(),
        "lips": lips.lips(error).square().mean() + lips.curves(error).square().mean(),
    }


def labeled_face(example: FaceExample, renderer: TrackedRenderer) -> LabeledFace:
    """The crops of a clip, with the tracker's fit as the code that an encoder should predict."""
    every = torch.arange(example.num_frames)
    turns, places = head_places(example, renderer.head, every, face_center(renderer.head))
    rotation, camera = into_crop(turns, places, example.K, example.track.face_boxes)
    light = clip_light(example, renderer).expand(example.num_frames, 9, 3)
    betas = example.betas.expand(example.num_frames, -1)
    code = FaceCode(betas, example.expression, example.gaze, rotation, camera, light)
    landmarks = in_crop(example.track.landmarks, example.track.face_boxes)
    return LabeledFace(example.clip.speaker, example.crops.faces, code, landmarks, example.trusted)


def make_task(config: CoarseTrainingConfig, data_dir: Path | None) -> CoarseEncoderTask:
    """Read the dataset and build the encoder."""
    corpus = read_corpus(data_dir, config.data, "coarse-encoder")
    renderer = TrackedRenderer(load_head(config.head))
    train, validation = ([labeled_face(example, renderer) for example in part] for part in corpus)
    config = replace(config, encoder=replace(config.encoder, num_betas=renderer.head.num_betas))
    encoder = CoarseEncoder(config.encoder)
    if config.start:
        encoder.load_state_dict(load("coarse-encoder", config.start).state_dict())
    return CoarseEncoderTask(config, encoder, LipGeometry(renderer.head.assets), train, validation)


RECIPE = ConfiguredRecipe(CoarseTrainingConfig, make_task)
