"""The recipe of the person's matte: MediaPipe's segmentation, learned on the crops of portraits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from facetalk.core.config import check_ranges, plain
from facetalk.core.errors import UsageError
from facetalk.data.manifest import read_manifest
from facetalk.data.patterns import matches_any
from facetalk.data.split import split_clips
from facetalk.io.weights import write_model
from facetalk.motion.heads import load_head
from facetalk.motion.portrait.scene import PortraitHead
from facetalk.networks.person_matte import PersonMatte, PersonMatteConfig
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.parts.matte_data import Matted, MattedFrames, MatteSampler, read_all
from facetalk.recipes.parts.portrait_data import PortraitDataConfig, store_frames, stored_clip
from facetalk.training.device import autocast


@dataclass(frozen=True)
class MatteLossWeights:
    """Weight of each term."""

    entropy: float = 1.0
    """Cross entropy with the teacher's opacity."""
    opacity: float = 2.0
    """Mean absolute difference, which edges decide."""


@dataclass(frozen=True)
class PersonMatteTrainingConfig(RunConfig):
    """Configuration of a run."""

    bfloat16: bool = True
    """Compute the network in bfloat16 in training, on processors that are fast at it."""
    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    data: PortraitDataConfig = field(default_factory=PortraitDataConfig)
    net: PersonMatteConfig = field(default_factory=PersonMatteConfig)
    frames_per_clip: int = 6
    """Of the stored frames; those of one clip are much alike."""
    loss_weights: MatteLossWeights = field(default_factory=MatteLossWeights)

    def __post_init__(self) -> None:
        check_ranges(self, frames_per_clip=(1, 1000))


class PersonMatteTask:
    """The network, its batches and its losses."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(
        self, config: PersonMatteTrainingConfig, train: Sequence[MattedFrames], validation: Sequence[MattedFrames]
    ) -> None:
        self.config = config
        self.model = PersonMatte(config.net)
        self.sampler = MatteSampler(train, config.data.batch_size)
        self.validation = validation
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)

    def sample(self, generator: torch.Generator) -> Matted:
        """See `MatteSampler`."""
        return self.sampler.sample(generator)

    def loss_terms(self, step: int, batch: Matted) -> dict[str, Tensor]:
        """Differences from the teacher's mattes."""
        with autocast(batch.images.device, self.config.bfloat16):
            logits = self.model(batch.images)
        return {
            "entropy": functional.binary_cross_entropy_with_logits(logits, batch.opacity),
            "opacity": (logits.sigmoid() - batch.opacity).abs().mean(),
        }

    def validate(self) -> dict[str, float]:
        """On unvaried frames: mean absolute error of the opacity, and intersection over union at one half."""
        rows = []
        with torch.no_grad():
            for frames in self.validation:
                found, wanted = self.model(frames.images.float() / 255).sigmoid(), frames.opacity.float() / 255
                both, either = ((found > 0.5) & (wanted > 0.5)).sum(), ((found > 0.5) | (wanted > 0.5)).sum()
                rows.append((float((found - wanted).abs().mean()), float(both) / max(float(either), 1)))
        if not rows:
            return {}
        means = [sum(values) / len(rows) for values in zip(*rows, strict=True)]
        return dict(zip(("opacity_error", "overlap"), means, strict=True))

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        write_model(run_dir, self.model, "person-matte", "person-matte", {"network": plain(self.model.config)})


def make_task(config: PersonMatteTrainingConfig, data_dir: Path | None) -> PersonMatteTask:
    """Read the frames of the dataset and their mattes, storing them first where needed, and build the network."""
    if data_dir is None:
        raise UsageError(
            "person-matte is trained on videos: give --data DIR, which facetalk fit VIDEO... -o DIR writes"
        )
    clips = [clip for clip in read_manifest(data_dir) if not matches_any(clip.source, config.data.exclude)]
    store_frames(clips, PortraitHead(load_head(config.head)), config.data)
    parts = []
    for part in split_clips(clips, config.data.dev_speakers):
        found = (stored_clip(clip, config.data) for clip in part)
        parts.append(read_all([clip for clip in found if clip is not None], config.frames_per_clip))
    return PersonMatteTask(config, *parts)


RECIPE = ConfiguredRecipe(PersonMatteTrainingConfig, make_task)
