"""The recipe of SPECTRE's perceptual encoder: renders that a lip reader and an expression network see like the video.

Filntisis et al. 2022, "Visual Speech-Aware Perceptual 3D Facial Expression Reconstruction from Videos".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.core.errors import FacetalkError
from facetalk.data.face_corpus import read_corpus
from facetalk.data.faces import FaceDataConfig, FaceExample, face_images, mouth_images
from facetalk.data.patterns import first_match
from facetalk.data.sampling import random_index
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.weights import write_model
from facetalk.losses.perceptual import (
    correction_size,
    emotion_error,
    inner,
    landmark_error,
    lip_reading_error,
    out_of_bounds,
    relative_error,
)
from facetalk.motion.face_scene import CropViews, FaceScene, ObservedClip, in_crop
from facetalk.motion.heads import load_head
from facetalk.networks.experts import ExpressionReader, LipReader
from facetalk.networks.face_encoder import FaceCode, FaceEncoder
from facetalk.networks.lip_reader import PhonemeLipReader
from facetalk.networks.registry import load, load_expression_net, load_face_encoder, load_lip_reader
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.face_encoder import ValidationClip, evaluate_face_encoder
from facetalk.recipes.parts.phoneme_labels import is_synced, phoneme_posteriors, speech_features
from facetalk.training.device import CPU, to_device
from facetalk.vision.crop import FACE_SCALE

STATISTICS_CLIPS = 30
"""Clips on which the statistics of the normalizations are measured before training."""


@dataclass(frozen=True)
class SpectreLossWeights:
    """Weight of each term; a term of weight 0 is not computed where it needs a network."""

    lip_reading: float = 2.0
    emotion: float = 0.5
    landmarks: float = 50.0
    relative: float = 25.0
    correction: float = 0.001
    jaw: float = 10.0
    bounds: float = 1.0


@dataclass(frozen=True)
class SpectreTrainingConfig(RunConfig):
    """Configuration of a run."""

    head: str = "facetalk"
    coarse: str = "coarse-encoder"
    """A bundled coarse encoder, or a folder with one."""
    start: str = ""
    """Folder of an encoder to start from; initial weights if empty."""
    lip_reader: str = "lip-reader"
    expression_net: str = "expression-net"
    speech: str = "speech-encoder"
    """The speech encoder that labels the phonemes of the validation clips."""
    data: FaceDataConfig = field(default_factory=FaceDataConfig)
    loss_weights: SpectreLossWeights = field(default_factory=SpectreLossWeights)


@dataclass(frozen=True, eq=False)
class Experts:
    """Fixed networks whose features of video and render are compared; None where their loss has no weight."""

    lip_reader: LipReader | None
    expression_net: ExpressionReader | None

    @property
    def modules(self) -> list[nn.Module]:
        """The networks that there are."""
        return [network for network in (self.lip_reader, self.expression_net) if isinstance(network, nn.Module)]


def clip_of(example: FaceExample, frames: slice, scale: float = FACE_SCALE) -> ObservedClip:
    """Some frames of an example as networks see them; `scale` as in `FaceDataConfig.scales`."""
    track = example.track
    boxes = track.face_boxes[frames] * torch.tensor([1, 1, scale / FACE_SCALE])
    return ObservedClip(
        faces=face_images(example.crops.faces[frames], scale),
        mouths=mouth_images(example.crops.mouths[frames]),
        landmarks=in_crop(track.landmarks[frames], boxes),
        views=CropViews(example.K, boxes),
        trusted=example.trusted[frames],
    )


def encode_clip(encoder: FaceEncoder, scene: FaceScene, clip: ObservedClip) -> tuple[FaceCode, Tensor, Tensor]:
    """The code of a clip with its camera anchored to the landmarks, the coarse expression, and the clip's betas.

    The encoder may be on another device than the clip; the results are on the clip's, where the scene poses the head.
    """
    device = next(encoder.parameters()).device
    code, coarse = encoder(clip.faces.to(device), clip.landmarks.to(device))
    code, coarse = to_device((code, coarse), clip.landmarks.device)
    betas = code.betas.mean(0)
    anchored = scene.anchored(replace(code, expression=coarse.clamp(0, 1)), betas, clip.views, clip.landmarks)
    return replace(code, camera=anchored.camera), coarse, betas


def spectre_terms(
    encoder: FaceEncoder, scene: FaceScene, experts: Experts, clip: ObservedClip, spread: Float[Tensor, "52"]
) -> dict[str, Tensor]:
    """Loss terms of one clip.

    Args:
        encoder: its perceptual half is trained.
        scene: the head.
        experts: the networks whose terms are wanted.
        clip: the video; on the CPU, where the head is posed and rendered.
        spread: usual spread of each channel, the unit of the correction.
    """
    code, coarse, betas = encode_clip(encoder, scene, clip)
    landmarks, trusted = scene.seen(scene.points(code, betas, clip.views), clip.views), inner(clip.trusted)
    correction = (code.expression - coarse) / spread
    jaw = (code.expression - coarse)[:, ARKIT_NAMES.index("jawOpen")]
    terms = {
        "landmarks": landmark_error(inner(landmarks), inner(clip.landmarks), trusted),
        "relative": relative_error(inner(landmarks), inner(clip.landmarks), trusted),
        "correction": correction_size(inner(correction), torch.zeros_like(inner(correction))),
        "jaw": inner(jaw).square().mean() / 2,
        "bounds": out_of_bounds(inner(code.expression)),
    }
    if experts.modules:
        vertices = scene.vertices(code, betas, clip.views)
        normals = scene.normals(vertices)
        device = next(encoder.parameters()).device
        if experts.lip_reader is not None:
            rendered = scene.mouths(vertices, normals, code.light, clip.views)
            terms["lip_reading"] = _lip_reading_term(experts.lip_reader, clip.mouths, rendered, trusted, device)
        if experts.expression_net is not None:
            rendered = inner(scene.portraits(vertices, normals, code.light, clip.views))
            terms["emotion"] = _emotion_term(experts.expression_net, inner(clip.faces), rendered, trusted, device)
    return terms


def _lip_reading_term(
    network: LipReader, mouths: Tensor, rendered: Tensor, trusted: Tensor, device: torch.device
) -> Tensor:
    with torch.no_grad():
        target = network.features(mouths[None].to(device))[0]
    features = network.features(rendered[None].to(device))[0]
    return lip_reading_error(inner(target), inner(features), trusted.to(device))


def _emotion_term(
    network: ExpressionReader, faces: Tensor, rendered: Tensor, trusted: Tensor, device: torch.device
) -> Tensor:
    with torch.no_grad():
        target = emotion_features(network, faces.to(device))
    return emotion_error(target, emotion_features(network, rendered.to(device)), trusted.to(device))


def emotion_features(
    network: ExpressionReader, faces: Float[Tensor, "frames 3 height columns"]
) -> Float[Tensor, "frames features"]:
    """Features of images that are scaled to the size that the network needs."""
    if faces.shape[-1] != network.image_size:
        size = (network.image_size, network.image_size)
        faces = nn.functional.interpolate(faces, size, mode="bilinear", antialias=True)
    return network.features(faces)


class SpectreTask:
    """The perceptual encoder on top of a fixed coarse one."""

    def __init__(
        self,
        config: SpectreTrainingConfig,
        encoder: FaceEncoder,
        scene: FaceScene,
        experts: Experts,
        train: Sequence[FaceExample],
        validation: Sequence[ValidationClip],
        reader: PhonemeLipReader | None = None,
    ) -> None:
        """Collect everything that a run needs.

        Args:
            config: of the run.
            encoder: its perceptual half is trained.
            scene: the head.
            experts: the networks that compare video and render.
            train: clips to train on.
            validation: clips of other speakers.
            reader: reads the lips in video and render in validation.
        """
        self.config = config
        self.reader = reader
        self.encoder = encoder.freeze_coarse().eval()
        self.scene, self.experts = scene, experts
        self.fixed_modules: Sequence[nn.Module] = (self.encoder, *experts.modules)
        length = config.data.clip_frames
        self.train = [example for example in train if example.num_frames >= length]
        if not self.train:
            raise FacetalkError(f"there is no clip of {length} frames to train on; check the dataset")
        self.validation = validation
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        weights = [first_match(e.clip.speaker, config.data.shares, 1.0) * e.num_frames for e in self.train]
        self.weights = torch.tensor(weights, dtype=torch.float64)
        spread = FaceCode.split(encoder.coarse.spread[None], encoder.config.num_betas).expression[0]
        self.spread = spread.clamp_min(0.03)

    def measure_statistics(self) -> None:
        """Measure the statistics of a new perceptual encoder's normalizations on some of the clips."""
        generator = torch.Generator().manual_seed(self.config.loop.seed)
        chosen = torch.multinomial(self.weights, STATISTICS_CLIPS, replacement=True, generator=generator)
        clips = (self._clip(int(index), generator) for index in chosen)
        self.encoder.perceptual.measure_statistics(
            (clip.faces, self.encoder.coarse.landmark_row(clip.landmarks)) for clip in clips
        )

    @property
    def model(self) -> nn.Module:
        """The perceptual encoder."""
        return self.encoder.perceptual

    def sample(self, generator: torch.Generator) -> list[ObservedClip]:
        """Random excerpts of clips, in crops of random size."""
        chosen = torch.multinomial(self.weights, self.config.data.batch_size, replacement=True, generator=generator)
        return [self._clip(int(index), generator) for index in chosen]

    def loss_terms(self, step: int, batch: Sequence[ObservedClip]) -> dict[str, Tensor]:
        """The terms of `spectre_terms`, mean over the clips."""
        clips = to_device(batch, CPU)  # the head is posed and rendered on the CPU
        every = [spectre_terms(self.encoder, self.scene, self.experts, clip, self.spread) for clip in clips]
        return {name: torch.stack([terms[name] for terms in every]).mean() for name in every[0]}

    def _clip(self, index: int, generator: torch.Generator) -> ObservedClip:
        example, length = self.train[index], self.config.data.clip_frames
        start = random_index(example.num_frames - length + 1, generator)
        low, high = self.config.data.scales
        scale = low + (high - low) * float(torch.rand((), generator=generator))
        return clip_of(example, slice(start, start + length), scale)

    def validate(self) -> dict[str, float]:
        """Metrics on the validation speakers, beside those of the coarse encoder alone."""
        self.encoder.eval()
        return evaluate_face_encoder(self.encoder, self.scene, self.reader, self.validation)

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        described = {"head": self.config.head, "coarse": self.config.coarse, "network": plain(self.encoder.config)}
        write_model(run_dir, self.model, "perceptual-encoder", "spectre", described)


def make_task(config: SpectreTrainingConfig, data_dir: Path | None) -> SpectreTask:
    """Read the dataset and the fixed networks, and build the perceptual encoder."""
    corpus = read_corpus(data_dir, config.data, "spectre")
    coarse = load("coarse-encoder", config.coarse)
    encoder = FaceEncoder(coarse.config)
    encoder.coarse.load_state_dict(coarse.state_dict())
    if coarse.config.perceptual == "resnet":
        encoder.perceptual.backbone.load_state_dict(coarse.backbone.state_dict())
    if config.start:
        encoder.perceptual.load_state_dict(load_face_encoder(config.start).perceptual.state_dict())
    weights = config.loss_weights
    experts = Experts(
        load_lip_reader(config.lip_reader) if weights.lip_reading else None,
        load_expression_net(config.expression_net) if weights.emotion else None,
    )
    scene = FaceScene(load_head(config.head))
    speech, reader = load("speech-encoder", config.speech), load_lip_reader(config.lip_reader)
    validation = []
    for example in corpus.validation:
        posteriors = None
        if is_synced(example):
            features = speech_features(example, speech, config.data)
            posteriors = phoneme_posteriors(features, speech)
        validation.append(ValidationClip(example, posteriors))
    # Published readers have no layers for phonemes.
    phoneme_reader = reader if isinstance(reader, PhonemeLipReader) else None
    task = SpectreTask(config, encoder, scene, experts, corpus.train, validation, phoneme_reader)
    if not config.start:
        task.measure_statistics()
    return task


RECIPE = ConfiguredRecipe(SpectreTrainingConfig, make_task)
