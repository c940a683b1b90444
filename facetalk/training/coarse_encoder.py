"""Training the coarse encoder: the tracker's fits, from one picture at a time (METHODS 8.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from jaxtyping import Float
from torch import Tensor

from facetalk.core.config import build, plain
from facetalk.core.errors import FacetalkError
from facetalk.data.crops import KEPT_SCALE
from facetalk.data.faces import FACE_SIDE, FaceDataConfig, FaceExample, face_pictures, share_of
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.files import replacing
from facetalk.io.weights import half_precision, write_tensors
from facetalk.models.face_encoder import CoarseEncoder, FaceCode, FaceEncoderConfig
from facetalk.models.face_scene import face_middle
from facetalk.models.registry import load_coarse_encoder, load_head
from facetalk.training.face_corpus import TrackedRenderer, film_light, head_places, read_corpus
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig
from facetalk.vision.crop import FACE_SCALE
from facetalk.vision.crop_view import into_crop

CUT_SPREAD, CUT_SPREAD_SCALE = 0.05, 0.07
"""Standard deviations that moving and scaling the cut adds to the place (half crops) and, as a share, to the size."""


@dataclass(frozen=True)
class CoarseLossWeights:
    """Weight of each term; all are squared errors in units of the usual spread."""

    expression: float = 1.0
    pose: float = 1.0
    camera: float = 1.0
    betas: float = 0.2
    gaze: float = 0.3
    light: float = 0.1


@dataclass(frozen=True)
class CoarseTrainingConfig:
    """A whole run."""

    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    start: str = ""
    """Folder with a coarse encoder to begin with, of an earlier run; fresh weights if empty."""
    bfloat16: bool = True
    """Compute the network in bfloat16 while training."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: FaceDataConfig = field(default_factory=FaceDataConfig)
    encoder: FaceEncoderConfig = field(default_factory=FaceEncoderConfig)
    loss_weights: CoarseLossWeights = field(default_factory=CoarseLossWeights)


@dataclass(frozen=True, eq=False)
class TaughtFace:
    """A clip's pictures and what the tracker says of them."""

    speaker: str
    faces: np.ndarray
    code: FaceCode
    """As seen in boxes of `FACE_SCALE`."""
    trusted: Float[Tensor, " frames"]


class CoarseEncoderTask:
    """The coarse encoder, its examples and its losses."""

    def __init__(
        self,
        config: CoarseTrainingConfig,
        encoder: CoarseEncoder,
        learn: Sequence[TaughtFace],
        judge: Sequence[TaughtFace],
    ) -> None:
        if not learn:
            raise FacetalkError("there is no clip to learn from; check the dataset and dev_speakers")
        self.config = config
        self.model = encoder
        self.learn, self.judge = learn, judge
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        frames = [(index, frame) for index, face in enumerate(learn) for frame in range(len(face.trusted))]
        self.frames = torch.tensor(frames)
        weights = [share_of(face.speaker, config.data.shares, 1.0) * face.trusted for face in learn]
        self.chances = torch.cat(weights).double()
        rows = torch.cat([face.code.joined()[face.trusted > 0] for face in learn])
        encoder.mean.copy_(rows.mean(0))
        encoder.spread.copy_(rows.std(0).clamp_min(0.02))
        # The cut is moved and scaled in training, which spreads the camera much more than the films do.
        camera = FaceCode.split(encoder.spread[None], encoder.num_betas).camera
        size = FaceCode.split(encoder.mean[None], encoder.num_betas).camera[0, 0]
        camera[:] = torch.hypot(camera, torch.tensor([CUT_SPREAD_SCALE * float(size), CUT_SPREAD, CUT_SPREAD]))

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """The terms on one batch of single pictures."""
        chosen = self.frames[torch.multinomial(self.chances, self.config.data.batch_size, generator=chance)]
        pictures, targets = zip(*(self._look(int(clip), int(frame), chance) for clip, frame in chosen), strict=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            found = self.model(torch.cat(pictures))
        return coarse_terms(self.model, found.float(), torch.cat(targets))

    def _look(self, clip: int, frame: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """One picture, cut a little larger or smaller and off its middle, and its code in that cut."""
        face = self.learn[clip]
        luck = torch.rand(6, generator=chance)
        low, high = self.config.data.scales
        scale = low + (high - low) * float(luck[0])
        part = min(1.0, scale / KEPT_SCALE)
        room = 1 - part
        shift = room * (2 * luck[1:3] - 1) * 0.6
        picture = _cut_out(face.faces[frame], part, shift)
        picture = picture * (0.75 + 0.5 * luck[3]) * (0.9 + 0.2 * torch.rand(3, generator=chance))[:, None, None]
        code = face.code.joined()[frame : frame + 1].clone()
        seen = FaceCode.split(code, self.model.num_betas).camera
        ratio = FACE_SCALE / KEPT_SCALE
        seen[:, 0] *= ratio / part
        seen[:, 1:] = (seen[:, 1:] * ratio - shift) / part
        return picture.clamp(0, 1), code

    def validate(self) -> dict[str, float]:
        """Errors on speakers that are kept for judging, beside those of always saying the mean."""
        return judge_coarse(self.model, self.judge) if self.judge else {}

    def export(self, run_dir: Path) -> None:
        """Write `model.safetensors` and `config.yaml`, which `load_coarse_encoder` reads."""
        write_tensors(run_dir / "model.safetensors", half_precision(self.model), {"method": "coarse-encoder"})
        described = {"head": self.config.head, "encoder": plain(self.config.encoder)}
        with replacing(run_dir / "config.yaml") as temporary:
            temporary.write_text(yaml.safe_dump(described), encoding="utf-8")


def _cut_out(face: np.ndarray, part: float, shift: Float[Tensor, "2"]) -> Float[Tensor, "1 3 height columns"]:
    """A square part of a kept face, `shift` (x, y) in half faces off the middle."""
    picture = torch.from_numpy(np.array(face)).permute(2, 0, 1)[None].float() / 255
    along = part * ((torch.arange(FACE_SIDE) + 0.5) / FACE_SIDE * 2 - 1)
    across, down = torch.broadcast_tensors(along + shift[0], (along + shift[1])[:, None])
    grid = torch.stack([across, down], -1)
    return torch.nn.functional.grid_sample(picture, grid[None], align_corners=False)


def coarse_terms(
    encoder: CoarseEncoder, found: Float[Tensor, "batch width"], true: Float[Tensor, "batch width"]
) -> dict[str, Tensor]:
    """Squared errors in units of each column's spread."""
    scaled = FaceCode.split((found - true) / encoder.spread, encoder.num_betas)
    # A channel that hardly ever moves would count as much as the jaw if all were judged by their spread alone.
    importance = FaceCode.split(encoder.spread[None], encoder.num_betas).expression[0].clamp(0.02, 0.2).sqrt()
    return {
        "expression": (scaled.expression.square() * importance).mean() / importance.mean(),
        "pose": scaled.rotation.square().mean(),
        "camera": scaled.camera.square().mean(),
        "betas": scaled.betas.square().mean(),
        "gaze": scaled.gaze.square().mean(),
        "light": scaled.light.square().mean(),
    }


@torch.no_grad()
def judge_coarse(encoder: CoarseEncoder, faces: Sequence[TaughtFace]) -> dict[str, float]:
    """Mean absolute errors, `mean_*` those of the training data's mean, and the correlation of the jaw's opening."""
    found, true = [], []
    for face in faces:
        every = torch.arange(0, len(face.trusted), 3)
        every = every[face.trusted[every] > 0]
        if len(every):
            found.append(encoder(face_pictures(face.faces[every.numpy()])))
            true.append(face.code.joined()[every])
    mine, theirs = (FaceCode.split(torch.cat(rows), encoder.num_betas) for rows in (found, true))
    usual = FaceCode.split(encoder.mean[None], encoder.num_betas)
    figures = {}
    for name in ("expression", "rotation", "camera", "betas", "gaze"):
        figures[name] = float((getattr(mine, name) - getattr(theirs, name)).abs().mean())
        figures[f"mean_{name}"] = float((getattr(usual, name) - getattr(theirs, name)).abs().mean())
    jaw = ARKIT_NAMES.index("jawOpen")
    figures["r_jaw"] = float(torch.corrcoef(torch.stack([mine.expression[:, jaw], theirs.expression[:, jaw]]))[0, 1])
    return figures


def read_task_config(options: Mapping[str, Any]) -> CoarseTrainingConfig:
    """The run that a configuration describes."""
    return build(CoarseTrainingConfig, options)


def make_task(config: CoarseTrainingConfig, data_dir: Path | None) -> CoarseEncoderTask:
    """Read the dataset and build the encoder."""
    corpus = read_corpus(data_dir, config.data, "coarse-encoder")
    renderer = TrackedRenderer(load_head(config.head))
    faces = [[taught_face(example, renderer) for example in part] for part in corpus]
    config = replace(config, encoder=replace(config.encoder, num_betas=renderer.head.num_betas))
    encoder = CoarseEncoder(config.encoder)
    if config.start:
        encoder.load_state_dict(load_coarse_encoder(config.start)[0].state_dict())
    return CoarseEncoderTask(config, encoder, *faces)


def taught_face(example: FaceExample, renderer: TrackedRenderer) -> TaughtFace:
    """The tracker's fit of a clip as an encoder would say it."""
    every = torch.arange(example.num_frames)
    turns, places = head_places(example, renderer.head, every, face_middle(renderer.head))
    rotation, camera = into_crop(turns, places, example.K, example.track.face_boxes)
    light = film_light(example, renderer).expand(example.num_frames, 9, 3)
    betas = example.betas.expand(example.num_frames, -1)
    code = FaceCode(betas, example.expression, example.gaze, rotation, camera, light)
    return TaughtFace(example.clip.speaker, example.crops.faces, code, example.trusted)
