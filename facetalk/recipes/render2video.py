"""The recipe of FACIAL's rendering-to-video network (Zhang et al. 2021): one person, from their own video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.io.weights import write_model
from facetalk.losses.images import absolute_error, feature_error, matching_error, realism_error, weighted_error
from facetalk.networks.image_critics import ImageCriticConfig, MultiScaleCritic
from facetalk.networks.image_features import load_image_features
from facetalk.networks.render2video import LOOK, PersonGenerator, Render2VideoConfig
from facetalk.neural_rendering.footage import Footage
from facetalk.neural_rendering.person_file import write_person
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.render2video import evaluate_person
from facetalk.recipes.parts.person_frames import (
    PersonBatch,
    PersonDataConfig,
    PersonFrames,
    held_out,
    make_frames,
    read_person_footage,
)
from facetalk.training.device import autocast


@dataclass(frozen=True)
class Render2VideoLossWeights:
    """Weight of each term, the first four those of the paper; images are in [-1, 1]."""

    adversarial: float = 1.0
    matching: float = 2.0
    """Features of the critic."""
    perceptual: float = 10.0
    """Features of a network trained on ImageNet."""
    reconstruction: float = 50.0
    drawing: float = 10.0
    """What the network draws itself, before photos are mixed in. Not of the paper, where there is nothing else: without
    it the drawing takes colors that no frame has, of which little is mixed in, and which show where edges move. All
    pixels count the same."""


@dataclass(frozen=True)
class Render2VideoTrainingConfig(RunConfig):
    """Configuration of a run."""

    bfloat16: bool = True
    """Whether networks are computed in half precision on processors that are fast at it."""
    data: PersonDataConfig = field(default_factory=PersonDataConfig)
    network: Render2VideoConfig = field(default_factory=Render2VideoConfig)
    critic: ImageCriticConfig = field(default_factory=ImageCriticConfig)
    loss_weights: Render2VideoLossWeights = field(default_factory=Render2VideoLossWeights)


class Render2VideoTask:
    """The generator, its critic, its frames and its losses."""

    def __init__(
        self, config: Render2VideoTrainingConfig, frames: PersonFrames, validation: Sequence[Footage] = ()
    ) -> None:
        """Build the networks.

        Args:
            config: of the run.
            frames: of the person.
            validation: parts of the same videos that are not trained on.
        """
        self.config, self.frames, self.validation = config, frames, validation
        self.model = PersonGenerator(config.network)
        weights = config.loss_weights
        self.loss_weights: Mapping[str, float] = {name: value for name, value in plain(weights).items() if value > 0}
        judged = weights.adversarial > 0 or weights.matching > 0
        self.critic = MultiScaleCritic(LOOK + 3, config.critic) if judged else None
        self.features = load_image_features() if weights.perceptual > 0 else None
        self.fixed_modules: Sequence[nn.Module] = () if self.features is None else (self.features,)
        self._seen: tuple[Tensor, Tensor] | None = None

    def sample(self, generator: torch.Generator) -> PersonBatch:
        """Frames of the videos."""
        return self.frames.sample(generator)

    def loss_terms(self, step: int, batch: PersonBatch) -> dict[str, Tensor]:
        """Terms of the paper's rendering loss."""
        terms: dict[str, Tensor] = {}
        with autocast(batch.target.device, self.config.bfloat16):
            drawn, shares = self.model.parts(batch.layers)
            made = self.model.mixed(batch.layers, drawn, shares)
            if "drawing" in self.loss_weights:
                terms["drawing"] = absolute_error(drawn, batch.target)
            if "reconstruction" in self.loss_weights:
                terms["reconstruction"] = weighted_error(made, batch.target, batch.importance)
            if self.features is not None:
                with torch.no_grad():
                    wanted = self.features((batch.target + 1) / 2)
                terms["perceptual"] = feature_error(self.features((made + 1) / 2), wanted)
            if self.critic is not None:
                fake, real = (torch.cat([batch.layers.look, image], 1) for image in (made, batch.target))
                self._seen = (fake.detach(), real)
                terms |= self._judged(self.critic, fake, real)
        return {name: term.float() for name, term in terms.items()}

    def _judged(self, critic: MultiScaleCritic, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        """What the critic says of generated frames."""
        terms: dict[str, Tensor] = {}
        judged = critic(fake)
        if "matching" in self.loss_weights:
            with torch.no_grad():
                wanted = critic(real)
            terms["matching"] = matching_error(judged, wanted)
        if "adversarial" in self.loss_weights:
            terms["adversarial"] = realism_error(judged, 1.0)
        return terms

    def critic_loss(self) -> Tensor:
        """Least-squares loss of the critic on the batch of the last `loss_terms`."""
        if self.critic is None or self._seen is None:
            raise ValueError("this run has no critic to train")
        fake, real = self._seen
        with autocast(real.device, self.config.bfloat16):
            return (realism_error(self.critic(real), 1.0) + realism_error(self.critic(fake), 0.0)).float() / 2

    def validate(self) -> dict[str, float]:
        """How similar frames are that were not trained on, next to simple ways to show the person."""
        return evaluate_person(self.model, self.frames, self.validation) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the folder that `--photo` takes."""
        write_person(run_dir, self.frames.maker.person)
        write_model(run_dir, self.model, "person", "render2video", {"network": plain(self.config.network)})


def make_task(config: Render2VideoTrainingConfig, data_dir: Path | None) -> Render2VideoTask:
    """Read the videos, collect the person's appearance, and build the network."""
    footages, head = read_person_footage(data_dir, config.data, config.network.size)
    train, validation = held_out(footages, config.data.held_out)
    return Render2VideoTask(config, make_frames(train, head, config.network, config.data), validation)


RECIPE = ConfiguredRecipe(Render2VideoTrainingConfig, make_task)
