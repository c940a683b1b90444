"""The recipe of the portrait renderer: one frame of a clip is the photo, another one of the same clip the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.core.errors import UsageError
from facetalk.data.manifest import Clip, read_manifest
from facetalk.data.patterns import matches_any
from facetalk.data.sampling import random_index
from facetalk.data.split import split_clips
from facetalk.io.weights import write_model
from facetalk.losses.images import edge_error, weighted_error
from facetalk.motion.heads import load_head
from facetalk.motion.portrait.crop import WINDOW_LEFT, WINDOW_TOP
from facetalk.motion.portrait.driving import MOTION_WIDTH
from facetalk.motion.portrait.scene import PortraitHead
from facetalk.networks.portrait import PortraitConfig, PortraitFrames, PortraitNetwork
from facetalk.networks.registry import load
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.parts.portrait_data import PortraitClip, PortraitDataConfig, store_frames, stored_clip
from facetalk.recipes.parts.portrait_pairs import Pair, PairSampler, validation_pairs
from facetalk.training.device import autocast

NEAR_PX = 64
"""Side of the part around the mouth that is measured by itself."""
PHOTOS = 600
"""Photos, with their targets, that batches are made of. Each is kept and used a few times: making one takes longer than
training on it."""
CORNER = (WINDOW_LEFT, WINDOW_TOP)


@dataclass(frozen=True)
class PortraitLossWeights:
    """Weight of each term."""

    pixels: float = 1.0
    """Absolute differences where the photo lacks something, mostly at mouth and eyes."""
    edges: float = 1.0
    """Those of the differences between neighboring pixels, in the same places."""


@dataclass(frozen=True)
class PortraitTrainingConfig(RunConfig):
    """Configuration of a run."""

    bfloat16: bool = True
    """Compute the networks in bfloat16 in training, on processors that are fast at it."""
    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    data: PortraitDataConfig = field(default_factory=PortraitDataConfig)
    net: PortraitConfig = field(default_factory=PortraitConfig)
    start: str = ""
    """Trained weights, bundled or in a folder, that the run starts from; initial ones if empty."""
    loss_weights: PortraitLossWeights = field(default_factory=PortraitLossWeights)


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


class PortraitTask:
    """The networks, their batches and their losses."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(
        self,
        config: PortraitTrainingConfig,
        shared: PortraitHead,
        train: Sequence[PortraitClip],
        validation: Sequence[PortraitClip],
    ) -> None:
        self.config = config
        self.sampler = PairSampler(shared, train)
        self.pairs = validation_pairs(shared, validation)
        self.model = PortraitNetwork(MOTION_WIDTH, config.net)
        if config.start:
            self.model.load_state_dict(load("portrait", config.start).state_dict())
        else:
            self.model.motion_mean, self.model.motion_scale = self.sampler.motion_statistics()
        self._made: dict[int, list[Pair]] = {}
        """Targets of each of the `PHOTOS` that was used, by its number, from which it follows."""
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)

    def sample(self, generator: torch.Generator) -> PortraitBatch:
        """Some targets of some of the photos."""
        return _batch([self._pair(generator) for _ in range(self.config.data.batch_size)])

    def _pair(self, generator: torch.Generator) -> Pair:
        number = random_index(PHOTOS, generator)
        if number not in self._made:
            seed = self.config.loop.seed * PHOTOS + number
            self._made[number] = self.sampler.sample(torch.Generator().manual_seed(seed))
        targets = self._made[number]
        return targets[random_index(len(targets), generator)]

    def loss_terms(self, step: int, batch: PortraitBatch) -> dict[str, Tensor]:
        """Differences of the rendered frames from the video's."""
        with autocast(batch.photo.device, self.config.bfloat16):
            frames = self.render(batch)
        return {
            "pixels": weighted_error(frames.images, batch.target, batch.weight),
            "edges": edge_error(frames.images, batch.target, batch.weight),
        }

    def render(self, batch: PortraitBatch) -> PortraitFrames:
        """The frames of a batch."""
        code = self.model.code(batch.motion)
        return self.model(batch.photo, batch.flow, batch.cues, batch.guess, code, CORNER)

    def validate(self) -> dict[str, float]:
        """Mean absolute errors of the places that the photo lacks and of the mouth, 0 to 1, beside those without the
        network, of the warped, and of the still photo."""
        if not self.pairs:
            return {}
        rows = []
        with torch.no_grad():
            for start in range(0, len(self.pairs), self.config.data.batch_size):
                batch = _batch(self.pairs[start : start + self.config.data.batch_size])
                frames = self.render(batch)
                guessed = frames.warped + frames.needed * (frames.guess - frames.warped)
                results = {"": frames.images, "_guess": guessed, "_warped": frames.warped, "_still": still(batch)}
                rows.append(_figures(batch, results))
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
        values[f"error{name}"] = float(weighted_error(images, batch.target, batch.weight))
        values[f"edges{name}"] = float(edge_error(images, batch.target, batch.weight))
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

    return PortraitTask(config, shared, read(train), read(validation))


RECIPE = ConfiguredRecipe(PortraitTrainingConfig, make_task)
