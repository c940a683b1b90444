"""The recipe of FACIAL's generator of head motion, blinks and brows (Zhang et al. 2021).

The network adds random movement to what speech implies, so a clip is compared with the closest of several samples
(Gupta et al. 2018, variety loss): the squared error of each would be least for a head that stands still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.delivery import DELIVERY
from facetalk.core.config import check_ranges, plain
from facetalk.data.behavior import (
    BehaviorBatch,
    BehaviorDataConfig,
    BehaviorExample,
    BehaviorSampler,
    read_behaviors,
)
from facetalk.data.manifest import read_clips, split_by_speaker
from facetalk.data.patterns import matches_any
from facetalk.data.split import split_clips
from facetalk.head.behavior import NUM_STATES, STATES
from facetalk.io.weights import write_model
from facetalk.losses.behavior import least_squares_error, trajectory_error
from facetalk.networks.facial import BehaviorCritic, FacialConfig, FacialNetwork
from facetalk.networks.registry import load
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.facial import evaluate_behavior

_GROUPS = {"pose": "pose", "eye": "blink", "expression": "expression"}
"""Columns that each term of the loss compares."""


@dataclass(frozen=True)
class FacialLossWeights:
    """Weight of each term; states are compared in units of their spread."""

    expression: float = 2.0
    pose: float = 1.0
    eye: float = 5.0
    adversarial: float = 0.1


@dataclass(frozen=True)
class FacialTrainingConfig(RunConfig):
    """Configuration of a run."""

    start: str = ""
    """Trained weights, bundled or in a folder, that the run starts from; initial ones if empty."""
    samples: int = 2
    """Samples of which the closest one is compared with the clip."""
    rollout: bool = True
    """Whether the critic also sees windows that start from a generated state, as all but the first do in use."""
    motion: float = 10.0
    """Weight of the differences between frames relative to that of the states."""
    data: BehaviorDataConfig = field(default_factory=BehaviorDataConfig)
    network: FacialConfig = field(default_factory=FacialConfig)
    loss_weights: FacialLossWeights = field(default_factory=FacialLossWeights)

    def __post_init__(self) -> None:
        check_ranges(self, samples=(1, 100), motion=(0, 1e6))


class FacialTask:
    """The generator, its critic, its batches and its losses."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(
        self,
        config: FacialTrainingConfig,
        network: FacialNetwork,
        train: Sequence[BehaviorExample],
        validation: Sequence[BehaviorExample],
    ) -> None:
        """Set the statistics of the network.

        Args:
            config: of the run.
            network: with its initial weights.
            train: clips to train on.
            validation: clips of other speakers.
        """
        self.config, self.model = config, network
        self.sampler = BehaviorSampler(train, config.data)
        self.validation = validation
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        self.critic = BehaviorCritic(network.num_features, NUM_STATES) if config.loss_weights.adversarial > 0 else None
        self._starts: Tensor | None = None
        self._real_and_generated: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
        if not config.start:
            rows = torch.cat([example.features for example in train])
            network.feature_mean.copy_(rows.mean(0))
            network.feature_std.copy_(rows.std(0).clamp_min(1e-3))
        spreads = torch.stack([example.behavior.spread for example in train]).log()
        network.spread.copy_(spreads.median(0).values.exp())
        network.spread_range.copy_(spreads.std(0, correction=0))

    def sample(self, generator: torch.Generator) -> BehaviorBatch:
        """Windows of the training clips."""
        return self.sampler.sample(generator)

    def loss_terms(self, step: int, batch: BehaviorBatch) -> dict[str, Tensor]:
        """Terms of the paper's equation 8; that of the initial state is zero by construction."""
        samples = [self._generated(batch.features, batch.states[:, :2]) for _ in range(self.config.samples)]
        target = batch.states[:, 1:]
        terms = {
            term: torch.stack(
                [
                    trajectory_error(states[..., part], target[..., part], batch.trusted, self.config.motion)
                    for states in samples
                ]
            ).amin(0).mean()
            for term, part in ((term, STATES[name]) for term, name in _GROUPS.items())
        }  # fmt: skip
        if self.critic is not None:
            terms["adversarial"] = self._adversarial(batch, samples[0])
        return terms

    def _generated(self, features: Tensor, before: Tensor) -> Float[Tensor, "batch frames states"]:
        noise = torch.randn(*features.shape[:2], self.model.config.noise, device=features.device)
        return self.model(features, noise, before)

    def _adversarial(self, batch: BehaviorBatch, states: Tensor) -> Tensor:
        """How far the critic is from taking generated windows for real ones."""
        assert self.critic is not None
        starts, features = batch.states[:, :2], batch.features
        generated = [torch.cat([starts[:, :1], states], 1)]
        if self.config.rollout:
            if self._starts is not None:
                later = self._generated(features, self._starts)
                generated.append(torch.cat([self._starts[:, :1], later], 1))
            self._starts = generated[-1][:, -2:].detach()
        heard = self._heard(features)
        shown = (heard.repeat(len(generated), 1, 1), torch.cat(generated))
        self._real_and_generated = ((heard, batch.states), (shown[0], shown[1].detach()))
        return least_squares_error(self.critic(*shown), 1.0)

    def _heard(self, features: Tensor) -> Tensor:
        """Features for the critic, with a row for the frame before the window."""
        normalized = (features - self.model.feature_mean) / self.model.feature_std
        return torch.cat([normalized[:, :1], normalized], 1)

    def critic_loss(self) -> Tensor:
        """Least-squares loss of the critic on the batch of the last `loss_terms`."""
        if self.critic is None or self._real_and_generated is None:
            raise ValueError("this run has no critic to train")
        real, generated = (self.critic(*shown) for shown in self._real_and_generated)
        return least_squares_error(real, 1.0) + least_squares_error(generated, 0.0)

    def validate(self) -> dict[str, float]:
        """Statistics of generated behavior next to the real one, on the validation speakers."""
        return evaluate_behavior(self.model, self.validation) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the folder that `animate --gestures` takes."""
        described = {"num_features": self.model.num_features, "num_states": NUM_STATES}
        write_model(run_dir, self.model, "gestures", "facial", {**described, "network": plain(self.config.network)})


def make_task(config: FacialTrainingConfig, data_dir: Path | None) -> FacialTask:
    """Read the clips and build the network, with initial weights or trained ones."""
    clips = read_clips(data_dir, "facial")
    clips = [clip for clip in clips if not config.data.only or matches_any(clip.speaker, config.data.only)]
    train, validation = split_clips(clips, config.data.dev_speakers)
    if config.data.held_out:
        train, validation = split_by_speaker(train, config.data.held_out)
    examples = read_behaviors(train, config.data.min_confidence)
    kept = read_behaviors(validation, config.data.min_confidence) if validation else []
    network = FacialNetwork(len(DELIVERY), NUM_STATES, config.network)
    if config.start:
        trained = load("gestures", config.start)
        network = FacialNetwork(len(DELIVERY), NUM_STATES, trained.config)
        network.load_state_dict(trained.state_dict())
        config = replace(config, network=trained.config)
    return FacialTask(config, network, examples, kept)


RECIPE = ConfiguredRecipe(FacialTrainingConfig, make_task)
