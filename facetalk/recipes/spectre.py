"""Training SPECTRE's perceptual encoder: renders that read and feel like the film (METHODS 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import build, plain
from facetalk.core.errors import FacetalkError
from facetalk.data.face_corpus import read_corpus
from facetalk.data.faces import FaceDataConfig, FaceExample, face_pictures, mouth_pictures, share_of
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
from facetalk.motion.face_scene import FaceScene, SeenClip, Shots, in_crop
from facetalk.motion.heads import load_head
from facetalk.networks.experts import ExpressionReader, LipReader
from facetalk.networks.face_encoder import FaceCode, FaceEncoder
from facetalk.networks.lip_reader import PhonemeLipReader
from facetalk.networks.registry import (
    load,
    load_expression_net,
    load_face_encoder,
    load_lip_reader,
)
from facetalk.recipes.evaluation.faces import Judged, judge_encoder
from facetalk.recipes.lip_reader import heard_phonemes, is_synced
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig
from facetalk.vision.crop import FACE_SCALE

SETTLING = 30
"""Clips on which normalisations are measured before training."""


@dataclass(frozen=True)
class SpectreLossWeights:
    """Weight of each term (METHODS 4.3); a term of weight 0 is not computed."""

    lip_reading: float = 2.0
    emotion: float = 0.5
    landmarks: float = 50.0
    relative: float = 25.0
    correction: float = 0.001
    jaw: float = 10.0
    bounds: float = 1.0


@dataclass(frozen=True)
class SpectreTrainingConfig:
    """A whole run."""

    head: str = "facetalk"
    coarse: str = "coarse-encoder"
    """Bundled coarse encoder, or a folder with one."""
    start: str = ""
    """Folder with encoders to begin with, of an earlier run; a fresh perceptual encoder if empty."""
    lip_reader: str = "lip-reader"
    expression_net: str = "expression-net"
    speech: str = "speech-encoder"
    """Hears what is said in the clips that are judged."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: FaceDataConfig = field(default_factory=FaceDataConfig)
    loss_weights: SpectreLossWeights = field(default_factory=SpectreLossWeights)


@dataclass(frozen=True, eq=False)
class Critics:
    """The networks that judge a render; None where their loss has no weight."""

    lip_reader: LipReader | None
    expression_net: ExpressionReader | None


def see(example: FaceExample, frames: slice, scale: float = FACE_SCALE) -> SeenClip:
    """Some frames of an example; `scale` as in `FaceDataConfig.scales`."""
    track = example.track
    boxes = track.face_boxes[frames] * torch.tensor([1, 1, scale / FACE_SCALE])
    return SeenClip(
        faces=face_pictures(example.crops.faces[frames], scale),
        mouths=mouth_pictures(example.crops.mouths[frames]),
        landmarks=in_crop(track.landmarks[frames], boxes),
        shots=Shots(example.K, boxes),
        trusted=example.trusted[frames],
    )


def read_code(encoder: FaceEncoder, scene: FaceScene, clip: SeenClip) -> tuple[FaceCode, Tensor, Tensor]:
    """The encoder's code of a clip with its camera anchored, the coarse expression, and the clip's betas."""
    code, coarse = encoder(clip.faces, clip.landmarks)
    betas = code.betas.mean(0)
    anchored = scene.anchored(replace(code, expression=coarse.clamp(0, 1)), betas, clip.shots, clip.landmarks)
    return replace(code, camera=anchored.camera), coarse, betas


def spectre_terms(
    encoder: FaceEncoder, scene: FaceScene, critics: Critics, clip: SeenClip, spread: Float[Tensor, "52"]
) -> dict[str, Tensor]:
    """The loss terms of one clip.

    Args:
        encoder: its perceptual half learns.
        scene: the head.
        critics: those whose terms are wanted.
        clip: the film.
        spread: usual spread of each channel, the unit of the correction.
    """
    code, coarse, betas = read_code(encoder, scene, clip)
    landmarks, trusted = scene.seen(scene.points(code, betas, clip.shots), clip.shots), inner(clip.trusted)
    added = (code.expression - coarse) / spread
    jaw = (code.expression - coarse)[:, ARKIT_NAMES.index("jawOpen")]
    terms = {
        "landmarks": landmark_error(inner(landmarks), inner(clip.landmarks), trusted),
        "relative": relative_error(inner(landmarks), inner(clip.landmarks), trusted),
        "correction": correction_size(inner(added), torch.zeros_like(inner(added))),
        "jaw": inner(jaw).square().mean() / 2,
        "bounds": out_of_bounds(inner(code.expression)),
    }
    if critics.lip_reader is None and critics.expression_net is None:
        return terms
    vertices = scene.vertices(code, betas, clip.shots)
    normals = scene.normals(vertices)
    if critics.lip_reader is not None:
        with torch.no_grad():
            film = critics.lip_reader.features(clip.mouths[None])[0]
        render = critics.lip_reader.features(scene.mouths(vertices, normals, code.light, clip.shots)[None])[0]
        terms["lip_reading"] = lip_reading_error(inner(film), inner(render), trusted)
    if critics.expression_net is not None:
        with torch.no_grad():
            film = emotion_features(critics.expression_net, inner(clip.faces))
        shown = inner(scene.portraits(vertices, normals, code.light, clip.shots))
        terms["emotion"] = emotion_error(film, emotion_features(critics.expression_net, shown), trusted)
    return terms


def emotion_features(
    network: ExpressionReader, faces: Float[Tensor, "frames 3 height columns"]
) -> Float[Tensor, "frames features"]:
    """Features of pictures brought to the size that the network wants."""
    if faces.shape[-1] != network.image_size:
        size = (network.image_size, network.image_size)
        faces = nn.functional.interpolate(faces, size, mode="bilinear", antialias=True)
    return network.features(faces)


class SpectreTask:
    """The perceptual encoder on top of a frozen coarse one."""

    def __init__(
        self,
        config: SpectreTrainingConfig,
        encoder: FaceEncoder,
        scene: FaceScene,
        critics: Critics,
        learn: Sequence[FaceExample],
        judge: Sequence[Judged],
        reader: PhonemeLipReader | None = None,
    ) -> None:
        """Take everything that a run needs.

        Args:
            config: of the run.
            encoder: its perceptual half learns.
            scene: the head.
            critics: see there.
            learn: clips to learn from.
            judge: clips of other speakers.
            reader: reads the lips of film and render when clips are judged.
        """
        self.config = config
        self.reader = reader
        self.encoder = encoder.freeze_coarse().eval()
        self.scene, self.critics = scene, critics
        length = config.data.clip_frames
        self.learn = [example for example in learn if example.num_frames >= length]
        if not self.learn:
            raise FacetalkError(f"there is no clip of {length} frames to learn from; check the dataset")
        self.judge = judge
        weights = plain(config.loss_weights)
        self.loss_weights: Mapping[str, float] = weights
        shares = [share_of(e.clip.speaker, config.data.shares, 1.0) * e.num_frames for e in self.learn]
        self.chances = torch.tensor(shares, dtype=torch.float64)
        spread = FaceCode.split(encoder.coarse.spread[None], encoder.config.num_betas).expression[0]
        self.spread = spread.clamp_min(0.03)

    def settle(self) -> None:
        """Measure the statistics of a fresh perceptual encoder's normalisations on some of the clips."""
        chance = torch.Generator().manual_seed(self.config.loop.seed)
        chosen = torch.multinomial(self.chances, SETTLING, replacement=True, generator=chance)
        clips = (self._clip(int(index), chance) for index in chosen)
        self.encoder.perceptual.settle((clip.faces, self.encoder.coarse.marks_row(clip.landmarks)) for clip in clips)

    @property
    def model(self) -> nn.Module:
        """What learns."""
        return self.encoder.perceptual

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """The terms, mean over the clips of a batch."""
        chosen = torch.multinomial(self.chances, self.config.data.batch_size, replacement=True, generator=chance)
        every = [
            spectre_terms(self.encoder, self.scene, self.critics, self._clip(int(index), chance), self.spread)
            for index in chosen
        ]
        return {name: torch.stack([terms[name] for terms in every]).mean() for name in every[0]}

    def _clip(self, index: int, chance: torch.Generator) -> SeenClip:
        example, length = self.learn[index], self.config.data.clip_frames
        start = int(torch.randint(example.num_frames - length + 1, (), generator=chance))
        low, high = self.config.data.scales
        scale = low + (high - low) * float(torch.rand((), generator=chance))
        return see(example, slice(start, start + length), scale)

    def validate(self) -> dict[str, float]:
        """Figures on the speakers that are kept for judging, beside those of the coarse encoder alone."""
        self.encoder.eval()
        return judge_encoder(self.encoder, self.scene, self.reader, self.judge)

    def export(self, run_dir: Path) -> None:
        """Write `model.safetensors` and `config.yaml`, which `load_face_encoder` reads."""
        about = {"head": self.config.head, "coarse": self.config.coarse, "network": plain(self.encoder.config)}
        write_model(run_dir, self.model, "perceptual-encoder", "spectre", about)


def read_task_config(options: Mapping[str, Any]) -> SpectreTrainingConfig:
    """The run that a configuration describes."""
    return build(SpectreTrainingConfig, options)


def make_task(config: SpectreTrainingConfig, data_dir: Path | None) -> SpectreTask:
    """Read the dataset and the frozen networks, and build the perceptual encoder."""
    corpus = read_corpus(data_dir, config.data, "spectre")
    coarse = load("coarse-encoder", config.coarse)
    encoder = FaceEncoder(coarse.config)
    encoder.coarse.load_state_dict(coarse.state_dict())
    if coarse.config.perceptual == "resnet":
        encoder.perceptual.backbone.load_state_dict(coarse.backbone.state_dict())
    if config.start:
        encoder.perceptual.load_state_dict(load_face_encoder(config.start).perceptual.state_dict())
    weights = config.loss_weights
    critics = Critics(
        load_lip_reader(config.lip_reader) if weights.lip_reading else None,
        load_expression_net(config.expression_net) if weights.emotion else None,
    )
    scene = FaceScene(load_head(config.head))
    speech, reader = load("speech-encoder", config.speech), load_lip_reader(config.lip_reader)
    lags = config.data.sound_lags_ms
    judge = [Judged(e, heard_phonemes(e, speech, lags) if is_synced(e) else None) for e in corpus.judge]
    # Published readers come without the layers that tell phonemes.
    teller = reader if isinstance(reader, PhonemeLipReader) else None
    task = SpectreTask(config, encoder, scene, critics, corpus.learn, judge, teller)
    if not config.start:
        task.settle()
    return task
