"""Training the coarse encoder: the tracker's fits, from one picture and its landmarks at a time (METHODS 8.6).

Landmarks alone would do for the lips and teach the trunk nothing, so part of the examples come without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from facetalk.core.config import build, plain
from facetalk.core.errors import FacetalkError
from facetalk.core.landmarks import IBUG_MIRRORED
from facetalk.data.crops import KEPT_SCALE
from facetalk.data.face_corpus import TrackedRenderer, film_light, head_places, read_corpus
from facetalk.data.faces import FACE_SIDE, FaceDataConfig, FaceExample, face_pictures, share_of
from facetalk.head.channels import ARKIT_NAMES, mirrored
from facetalk.io.weights import write_model
from facetalk.losses.geometry import LipGeometry
from facetalk.motion.face_scene import face_middle, in_crop
from facetalk.motion.heads import load_head
from facetalk.networks.face_encoder import CoarseEncoder, FaceCode, FaceEncoderConfig
from facetalk.networks.registry import load
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig
from facetalk.vision.crop import FACE_SCALE
from facetalk.vision.crop_view import into_crop

CUT_SPREAD, CUT_SPREAD_SCALE = 0.05, 0.07
"""Standard deviations that moving and scaling the cut adds to the place (half crops) and, as a share, to the size."""


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
    """Square millimetres instead: of the mouth's landmarks, of the gap between the lips and of the mouth's width."""


@dataclass(frozen=True)
class CoarseTrainingConfig:
    """A whole run."""

    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    start: str = ""
    """Folder with a coarse encoder to begin with, of an earlier run; fresh weights if empty."""
    bfloat16: bool = True
    """Compute the trunk in bfloat16 while training."""
    unmarked: float = 0.5
    """Share of the examples that come without landmarks."""
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
    marks: Float[Tensor, "frames 68 2"]
    """The detector's landmarks in those boxes, -1 to 1."""
    trusted: Float[Tensor, " frames"]


class TaughtBatch(NamedTuple):
    """Single pictures of any clips."""

    faces: Float[Tensor, "batch 3 112 112"]
    marks: Float[Tensor, "batch 68 2"]
    """NaN in examples without landmarks."""
    rows: Float[Tensor, "batch width"]
    """The code of each, joined."""


class CoarseEncoderTask:
    """The coarse encoder, its examples and its losses."""

    def __init__(
        self,
        config: CoarseTrainingConfig,
        encoder: CoarseEncoder,
        lips: LipGeometry,
        learn: Sequence[TaughtFace],
        judge: Sequence[TaughtFace],
    ) -> None:
        if not learn:
            raise FacetalkError("there is no clip to learn from; check the dataset and dev_speakers")
        self.config = config
        self.model = encoder
        self.lips = lips
        self.learn, self.judge = learn, judge
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        frames = [(index, frame) for index, face in enumerate(learn) for frame in range(len(face.trusted))]
        self.frames = torch.tensor(frames)
        weights = [share_of(face.speaker, config.data.shares, 1.0) * face.trusted for face in learn]
        self.chances = torch.cat(weights).double()
        self.rows = [face.code.joined() for face in learn]
        trusted = torch.cat([face.trusted for face in learn]) > 0
        encoder.mean.copy_(torch.cat(self.rows)[trusted].mean(0))
        encoder.spread.copy_(torch.cat(self.rows)[trusted].std(0).clamp_min(0.02))
        marks = torch.cat([face.marks for face in learn])[trusted]
        encoder.marks_mean.copy_(marks.mean(0))
        encoder.marks_spread.copy_(marks.std(0).clamp_min(0.01))
        # The cut is moved and scaled in training, which spreads the camera much more than the films do.
        camera = FaceCode.split(encoder.spread[None], encoder.num_betas).camera
        size = FaceCode.split(encoder.mean[None], encoder.num_betas).camera[0, 0]
        camera[:] = torch.hypot(camera, torch.tensor([CUT_SPREAD_SCALE * float(size), CUT_SPREAD, CUT_SPREAD]))

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """The terms on one batch of single pictures."""
        batch = self.draw(chance)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            features = self.model.backbone(2 * batch.faces - 1)
        return coarse_terms(self.model, self.lips, self.model.say(features.float(), batch.marks), batch.rows)

    def draw(self, chance: torch.Generator) -> TaughtBatch:
        """One batch: cut a little larger or smaller and off the middle, in other light, some blurred, half of them
        mirrored, some without landmarks.
        """
        config = self.config.data
        count = config.batch_size
        chosen = self.frames[torch.multinomial(self.chances, count, generator=chance)]
        faces = [self.learn[clip].faces[frame] for clip, frame in chosen.tolist()]
        marks = torch.stack([self.learn[clip].marks[frame] for clip, frame in chosen.tolist()])
        rows = torch.stack([self.rows[clip][frame] for clip, frame in chosen.tolist()])
        luck = torch.rand(count, 8, generator=chance)
        low, high = config.scales
        part = ((low + (high - low) * luck[:, 0]) / KEPT_SCALE).clamp_max(1.0)
        shift = (1 - part)[:, None] * (2 * luck[:, 1:3] - 1) * 0.6
        pictures = _varied(_cut_out(np.stack(faces), part, shift), luck[:, 3:6], chance)
        marks, rows = seen_in_part(marks, rows, part, shift, self.model.num_betas)
        turned = luck[:, 6] < 0.5
        mirror = mirrored_code(FaceCode.split(rows, self.model.num_betas)).joined()
        marks = torch.where(turned[:, None, None], mirrored_marks(marks), marks)
        unmarked = luck[:, 7] < self.config.unmarked
        return TaughtBatch(
            torch.where(turned[:, None, None, None], pictures.flip(-1), pictures),
            torch.where(unmarked[:, None, None], torch.nan, marks),
            torch.where(turned[:, None], mirror, rows),
        )

    def validate(self) -> dict[str, float]:
        """Errors on speakers that are kept for judging, beside those of always saying the mean."""
        return judge_coarse(self.model, self.lips, self.judge) if self.judge else {}

    def export(self, run_dir: Path) -> None:
        """Write `model.safetensors` and `config.yaml`, which `networks.registry.load` reads."""
        described = {"head": self.config.head, "network": plain(self.config.encoder)}
        write_model(run_dir, self.model, "coarse-encoder", "coarse-encoder", described)


def _cut_out(
    faces: UInt8[np.ndarray, "batch 128 128 3"], part: Float[Tensor, " batch"], shift: Float[Tensor, "batch 2"]
) -> Float[Tensor, "batch 3 112 112"]:
    """A square part of each kept face, `shift` (x, y) in half faces off the middle."""
    pictures = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
    along = part[:, None] * ((torch.arange(FACE_SIDE) + 0.5) / FACE_SIDE * 2 - 1)
    across, down = along + shift[:, :1], along + shift[:, 1:]
    grid = torch.stack(torch.broadcast_tensors(across[:, None], down[:, :, None]), -1)
    return torch.nn.functional.grid_sample(pictures, grid, align_corners=False)


def _varied(
    pictures: Float[Tensor, "batch 3 112 112"], luck: Float[Tensor, "batch 3"], chance: torch.Generator
) -> Float[Tensor, "batch 3 112 112"]:
    """The pictures in other light, through other cameras, some of them coarser."""
    tint = 0.85 + 0.3 * torch.rand(len(pictures), 3, generator=chance)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    contrast = (0.7 + 0.6 * luck[:, 0])[:, None, None, None]
    pictures = (mean + contrast * (pictures - mean)) * (tint * (0.7 + 0.6 * luck[:, 1:2]))[:, :, None, None]
    small = torch.nn.functional.interpolate(pictures, scale_factor=0.5, mode="area")
    coarse = torch.nn.functional.interpolate(small, size=pictures.shape[-2:], mode="bilinear", align_corners=False)
    return torch.where((luck[:, 2] < 0.2)[:, None, None, None], coarse, pictures).clamp(0, 1)


def seen_in_part(
    marks: Float[Tensor, "batch 68 2"],
    rows: Float[Tensor, "batch width"],
    part: Float[Tensor, " batch"],
    shift: Float[Tensor, "batch 2"],
    num_betas: int,
) -> tuple[Float[Tensor, "batch 68 2"], Float[Tensor, "batch width"]]:
    """Landmarks and joined codes of boxes of `FACE_SCALE` as they are in parts of kept faces; see `_cut_out`."""
    ratio = FACE_SCALE / KEPT_SCALE
    marks = (marks * ratio - shift[:, None]) / part[:, None, None]
    code = FaceCode.split(rows, num_betas)
    places = (code.camera[:, 1:] * ratio - shift) / part[:, None]
    camera = torch.cat([code.camera[:, :1] * ratio / part[:, None], places], 1)
    return marks, replace(code, camera=camera).joined()


def mirrored_code(code: FaceCode) -> FaceCode:
    """What is seen in mirrored pictures; heads are taken as even on both sides."""
    sides = [ARKIT_NAMES.index(mirrored(name)) for name in ARKIT_NAMES]
    harmonics = torch.ones(9)
    harmonics[[1, 4, 5]] = -1.0  # the odd ones in x, see `render.harmonics`
    return FaceCode(
        betas=code.betas,
        expression=code.expression[:, sides],
        gaze=code.gaze[:, [2, 3, 0, 1]] * torch.tensor([1.0, -1, 1, -1]),
        rotation=code.rotation * torch.tensor([1.0, -1, -1]),
        camera=code.camera * torch.tensor([1.0, -1, 1]),
        light=code.light * harmonics[:, None],
    )


def mirrored_marks(marks: Float[Tensor, "batch 68 2"]) -> Float[Tensor, "batch 68 2"]:
    """Landmarks of mirrored pictures."""
    return marks[:, list(IBUG_MIRRORED)] * torch.tensor([-1.0, 1.0])


def coarse_terms(
    encoder: CoarseEncoder, lips: LipGeometry, found: Float[Tensor, "batch width"], true: Float[Tensor, "batch width"]
) -> dict[str, Tensor]:
    """Squared errors in units of each column's spread; those of the lips in square millimetres."""
    scaled = FaceCode.split((found - true) / encoder.spread, encoder.num_betas)
    off = FaceCode.split(found - true, encoder.num_betas).expression
    # A channel that hardly ever moves would count as much as the jaw if all were judged by their spread alone.
    importance = FaceCode.split(encoder.spread[None], encoder.num_betas).expression[0].clamp(0.02, 0.2).sqrt()
    return {
        "expression": (scaled.expression.square() * importance).mean() / importance.mean(),
        "pose": scaled.rotation.square().mean(),
        "camera": scaled.camera.square().mean(),
        "betas": scaled.betas.square().mean(),
        "gaze": scaled.gaze.square().mean(),
        "light": scaled.light.square().mean(),
        "lips": lips.lips(off).square().mean() + lips.curves(off).square().mean(),
    }


@torch.no_grad()
def judge_coarse(encoder: CoarseEncoder, lips: LipGeometry, faces: Sequence[TaughtFace]) -> dict[str, float]:
    """Mean absolute errors over frames; `mean_*` are those of the training data's mean, `picture_*` those of the
    pictures without landmarks. `r_open` and `r_wide` are correlations over the time of a clip of lip gap and mouth
    width with the tracker's, mean over clips; `gap` and `wide` the errors of both in millimetres.
    """
    found: dict[str, list[Tensor]] = {"": [], "picture_": []}
    for face in faces:
        pictures = face_pictures(face.faces)
        features = torch.cat([encoder.backbone(2 * part - 1) for part in pictures.split(64)])
        found[""].append(encoder.say(features, face.marks))
        found["picture_"].append(encoder.say(features, torch.full_like(face.marks, torch.nan)))
    kept = torch.cat([face.trusted for face in faces]) > 0
    true = [face.code.joined() for face in faces]
    theirs = FaceCode.split(torch.cat(true)[kept], encoder.num_betas)
    figures = {}
    for prefix, clips in (*found.items(), ("mean_", [encoder.mean.expand_as(rows) for rows in true])):
        mine = FaceCode.split(torch.cat(clips)[kept], encoder.num_betas)
        for name in ("expression", "rotation", "camera", "betas", "gaze"):
            figures[prefix + name] = float((getattr(mine, name) - getattr(theirs, name)).abs().mean())
        errors = (lips.curves(mine.expression) - lips.curves(theirs.expression)).abs().mean(0)
        figures |= {f"{prefix}gap": float(errors[0]), f"{prefix}wide": float(errors[1])}
        if prefix != "mean_":
            follows = torch.tensor([_follows(encoder, lips, *pair) for pair in zip(clips, true, strict=True)])
            figures |= {
                f"{prefix}r_open": float(follows[:, 0].nanmean()),
                f"{prefix}r_wide": float(follows[:, 1].nanmean()),
            }
    return figures


def _follows(encoder: CoarseEncoder, lips: LipGeometry, found: Tensor, true: Tensor) -> list[float]:
    """Correlations of lip gap and mouth width over a clip; NaN for one of less than a second."""
    if len(true) < 25:
        return [float("nan")] * 2
    mine, theirs = (
        lips.curves(FaceCode.split(rows, encoder.num_betas).expression.clamp(0, 1)) for rows in (found, true)
    )
    return [float(torch.corrcoef(torch.stack([mine[:, k], theirs[:, k]]))[0, 1]) for k in range(2)]


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
        encoder.load_state_dict(load("coarse-encoder", config.start).state_dict())
    return CoarseEncoderTask(config, encoder, LipGeometry(renderer.head.assets), *faces)


def taught_face(example: FaceExample, renderer: TrackedRenderer) -> TaughtFace:
    """The tracker's fit of a clip as an encoder would say it."""
    every = torch.arange(example.num_frames)
    turns, places = head_places(example, renderer.head, every, face_middle(renderer.head))
    rotation, camera = into_crop(turns, places, example.K, example.track.face_boxes)
    light = film_light(example, renderer).expand(example.num_frames, 9, 3)
    betas = example.betas.expand(example.num_frames, -1)
    code = FaceCode(betas, example.expression, example.gaze, rotation, camera, light)
    marks = in_crop(example.track.landmarks, example.track.face_boxes)
    return TaughtFace(example.clip.speaker, example.crops.faces, code, marks, example.trusted)
