"""The recipe of the portrait renderer: one frame of a clip is the photo, another one of the same clip the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges, plain
from facetalk.core.errors import UsageError
from facetalk.data.manifest import Clip, read_manifest
from facetalk.data.patterns import matches_any
from facetalk.data.split import split_clips
from facetalk.io.weights import write_model
from facetalk.losses.images import feature_error, matching_error, realism_error, style_error, weighted_error
from facetalk.motion.heads import load_head
from facetalk.motion.portrait.crop import WINDOW_LEFT, WINDOW_TOP
from facetalk.motion.portrait.driving import MOTION_WIDTH
from facetalk.motion.portrait.scene import PortraitHead
from facetalk.networks.image_critics import ImageCriticConfig, MultiScaleCritic
from facetalk.networks.image_features import ImageFeatures, load_image_features
from facetalk.networks.portrait import PortraitConfig, PortraitFrames, PortraitNetwork, warp
from facetalk.networks.registry import load
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.parts.portrait_data import PortraitClip, PortraitDataConfig, store_frames, stored_clip
from facetalk.recipes.parts.portrait_pairs import Pair, PairSampler, validation_pairs
from facetalk.training.device import autocast

NEAR_PX = 64
"""Side of the parts around mouth and eyes that losses look at closely."""
CORNER = (WINDOW_LEFT, WINDOW_TOP)


@dataclass(frozen=True)
class PortraitLossWeights:
    """Weight of each term.

    The gradient of the features is some twenty times that of the pixels, and points elsewhere in every batch: at equal
    weights nothing is learned. One that penalizes any change is the same in every batch, and soon forbids them all.
    """

    pixels: float = 60.0
    mouth: float = 0.0
    """Features and style of the mouth, enlarged; needs the extra `photo`, like `eyes`."""
    eyes: float = 0.0
    """Features and style of one eye."""
    warped: float = 10.0
    """The warped image where the photo shows what is wanted."""
    change: float = 0.03
    """What the network adds although the photo shows it."""
    correction: float = 0.01
    """Change of the flow, pixels."""
    realism: float = 0.0
    """Against the critic; 0 for none."""
    matching: float = 0.0
    """Features of the critic."""


@dataclass(frozen=True)
class PortraitTrainingConfig(RunConfig):
    """Configuration of a run."""

    bfloat16: bool = True
    """Compute the networks in bfloat16 in training, on processors that are fast at it."""
    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    data: PortraitDataConfig = field(default_factory=PortraitDataConfig)
    net: PortraitConfig = field(default_factory=PortraitConfig)
    critic: ImageCriticConfig = field(default_factory=lambda: ImageCriticConfig(num_scales=1))
    start: str = ""
    """Trained weights, bundled or in a folder, that the run starts from; initial ones if empty."""
    critic_from: int = 0
    """Step from which the critic is used."""
    loss_weights: PortraitLossWeights = field(default_factory=PortraitLossWeights)

    def __post_init__(self) -> None:
        check_ranges(self, critic_from=(0, 1e9))


class PortraitBatch(NamedTuple):
    """Photos, targets and what connects them."""

    photo: Float[Tensor, "batch 3 crop crop"]
    flow: Float[Tensor, "batch 2 height columns"]
    cues: Float[Tensor, "batch cues height columns"]
    guess: Float[Tensor, "batch 3 height columns"]
    motion: Float[Tensor, "batch frames motion"]
    target: Float[Tensor, "batch 3 height columns"]
    weight: Float[Tensor, "batch 1 height columns"]
    """How much each pixel counts; 0 beyond the edges of the video."""
    mouth: Float[Tensor, "batch 2"]
    """Column and row of the middle of the mouth in the window."""
    eye: Float[Tensor, "batch 2"]
    """The same of one eye."""


class PortraitTask:
    """The networks, their batches and their losses."""

    def __init__(
        self,
        config: PortraitTrainingConfig,
        shared: PortraitHead,
        train: Sequence[PortraitClip],
        validation: Sequence[PortraitClip],
        features: ImageFeatures | None,
    ) -> None:
        self.config = config
        self.features = features
        self.fixed_modules: Sequence[nn.Module] = () if features is None else (features,)
        self.sampler = PairSampler(shared, train)
        self.pairs = validation_pairs(shared, validation)
        self.model = PortraitNetwork(MOTION_WIDTH, config.net)
        if config.start:
            self.model.load_state_dict(load("portrait", config.start).state_dict())
        else:
            self.model.motion_mean, self.model.motion_scale = self.sampler.motion_statistics()
        weights = plain(config.loss_weights)
        adversarial = weights["realism"] > 0 or weights["matching"] > 0
        self.critic: nn.Module | None = MultiScaleCritic(3, config.critic) if adversarial else None
        self.loss_weights: Mapping[str, float] = weights
        self._mouths: tuple[Tensor, Tensor] | None = None

    def sample(self, generator: torch.Generator) -> PortraitBatch:
        """Pairs of frames; each photo has two targets."""
        pairs: list[Pair] = []
        while len(pairs) < self.config.data.batch_size:
            pairs += self.sampler.sample(generator)
        return _batch(pairs[: self.config.data.batch_size])

    def loss_terms(self, step: int, batch: PortraitBatch) -> dict[str, Tensor]:
        """Differences of the rendered frames from the video's."""
        with autocast(batch.photo.device, self.config.bfloat16):
            frames = self.render(batch)
        valid = batch.cues[:, :1]
        made, real = closeup(frames.images, batch.mouth), closeup(batch.target, batch.mouth)
        terms = {
            "pixels": weighted_error(frames.images, batch.target, batch.weight),
            "warped": weighted_error(frames.warped, batch.target, batch.weight * valid),
            "change": (frames.change.abs() * valid).mean(),
            "correction": (frames.flow - batch.flow).abs().mean(),
        }
        if self.loss_weights["mouth"] > 0:
            terms["mouth"] = self._looks(*(functional.interpolate(part, scale_factor=2) for part in (made, real)))
        if self.loss_weights["eyes"] > 0:
            terms["eyes"] = self._looks(closeup(frames.images, batch.eye), closeup(batch.target, batch.eye))
        if self.critic is not None:
            terms |= self._critic_terms(self.critic, step, made, real)
        return terms

    def _looks(self, made: Tensor, real: Tensor) -> Tensor:
        """Differences of features and of style."""
        assert self.features is not None
        with torch.no_grad():
            wanted = self.features(real)
        found = self.features(made)
        return feature_error(found, wanted) + style_error(found, wanted)

    def render(self, batch: PortraitBatch) -> PortraitFrames:
        """The frames of a batch."""
        code = self.model.code(batch.motion)
        return self.model(batch.photo, batch.flow, batch.cues, batch.guess, code, CORNER)

    def _critic_terms(self, critic: nn.Module, step: int, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        self._mouths = (made.detach(), real) if step >= self.config.critic_from else None
        if self._mouths is None:
            return {"realism": made.new_zeros(()), "matching": made.new_zeros(())}
        scores = critic(made)
        with torch.no_grad():
            wanted = critic(real)
        return {"realism": realism_error(scores, 1.0), "matching": matching_error(scores, wanted)}

    def critic_loss(self) -> Tensor:
        """Least squares on the mouths of the last batch."""
        assert self.critic is not None
        if self._mouths is None:
            return sum((parameter.sum() * 0 for parameter in self.critic.parameters()), torch.zeros(()))
        made, real = self._mouths
        return (realism_error(self.critic(made), 0.0) + realism_error(self.critic(real), 1.0)) / 2

    def validate(self) -> dict[str, float]:
        """Mean absolute errors of the window and of the mouth, 0 to 1, beside the warped and the still photo."""
        if not self.pairs:
            return {}
        rows = []
        with torch.no_grad():
            for start in range(0, len(self.pairs), self.config.data.batch_size):
                batch = _batch(self.pairs[start : start + self.config.data.batch_size])
                frames = self.render(batch)
                moved = warp(batch.photo, batch.flow, CORNER)
                rows.append(_figures(batch, {"": frames.images, "_warped": moved, "_still": still(batch)}))
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        described = {"network": plain(self.model.config), "num_motion": MOTION_WIDTH}
        write_model(run_dir, self.model, "portrait", "portrait", described)


def still(batch: PortraitBatch) -> Float[Tensor, "batch 3 height columns"]:
    """The window of the photos, without any motion."""
    left, top = CORNER
    height, columns = batch.target.shape[2:]
    return batch.photo[:, :, top : top + height, left : left + columns]


def closeup(
    images: Float[Tensor, "batch 3 height columns"], centers: Float[Tensor, "batch 2"]
) -> Float[Tensor, "batch 3 side side"]:
    """The part of each image around a place."""
    height, columns = images.shape[2:]
    parts = []
    for image, (x, y) in zip(images, centers.round().long().tolist(), strict=True):
        left = min(max(x - NEAR_PX // 2, 0), columns - NEAR_PX)
        top = min(max(y - NEAR_PX // 2, 0), height - NEAR_PX)
        parts.append(image[:, top : top + NEAR_PX, left : left + NEAR_PX])
    return torch.stack(parts)


def _figures(batch: PortraitBatch, results: Mapping[str, Tensor]) -> dict[str, float]:
    values = {}
    for name, images in results.items():
        values[f"error{name}"] = float(weighted_error(images, batch.target, (batch.weight > 0).float()))
        near, wanted = closeup(images, batch.mouth), closeup(batch.target, batch.mouth)
        values[f"mouth_error{name}"] = float((near - wanted).abs().mean())
    return values


def _batch(pairs: Sequence[Pair]) -> PortraitBatch:
    return PortraitBatch(*(torch.stack(values) for values in zip(*pairs, strict=True)))


def make_task(config: PortraitTrainingConfig, data_dir: Path | None) -> PortraitTask:
    """Read the frames of the dataset, storing them first where needed, and build the networks."""
    if data_dir is None:
        raise UsageError("portrait is trained on videos: give --data DIR, which facetalk fit VIDEO... -o DIR writes")
    clips = [clip for clip in read_manifest(data_dir) if not matches_any(clip.source, config.data.exclude)]
    train, validation = split_clips(clips, config.data.dev_speakers)
    shared = PortraitHead(load_head(config.head))

    def read(part: Sequence[Clip]) -> list[PortraitClip]:
        store_frames(part, shared, config.data)
        found = (stored_clip(clip, config.data) for clip in part)
        return [clip for clip in found if clip is not None]

    looks = config.loss_weights.mouth > 0 or config.loss_weights.eyes > 0
    features = load_image_features() if looks else None
    return PortraitTask(config, shared, read(train), read(validation), features)


RECIPE = ConfiguredRecipe(PortraitTrainingConfig, make_task)
