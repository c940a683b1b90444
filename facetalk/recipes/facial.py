"""The recipe of FACIAL's generator of head motion, blinks and brows (Zhang et al. 2021).

In two stages: first how a face goes on moving is learned by likelihood, then what speech adds to such a movement. The
losses of the paper compare the mean over movements with the clip; how they are distributed is what the critic judges.
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
from facetalk.core.timing import FPS
from facetalk.data.behavior import (
    BehaviorBatch,
    BehaviorDataConfig,
    BehaviorExample,
    BehaviorSampler,
    read_behaviors,
)
from facetalk.data.manifest import read_clips, split_by_speaker
from facetalk.data.patterns import first_match, matches_any
from facetalk.data.split import split_clips
from facetalk.head.behavior import BLINK_UNIT, MOVING, NUM_STATES, PARTS, STATES, WINDOW
from facetalk.io.weights import write_model
from facetalk.losses.behavior import least_squares_error, power, spectrum_error, trajectory_error
from facetalk.metrics.blinks import find_blinks
from facetalk.networks.facial import (
    PLAUSIBLE,
    BehaviorCritic,
    FacialConfig,
    FacialNetwork,
    generated_windows,
    moved_by,
)
from facetalk.networks.registry import load
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.facial import evaluate_behavior

SETTLING_FRAMES = (*[15.0] * 3, 2.0, *[8.0] * len(PARTS))
"""Time constant with which each state is left: half a second for the head, less for the expression and lids."""

QUARTILES_APART = 1.349
"""Of a normal distribution, standard deviations."""
MOST_LIVELINESS = 0.35
"""Of the standard deviation of the logarithm of how far heads move: a few clips are of other scenes."""
USUAL_BLINKS, USUAL_BLINKS_S = 0.3, 30.0
"""Blinks per second of anybody, which count as much as so many seconds of clips: half a minute says little."""
LEAST_BLINKS, MOST_BLINKS = 0.08, 0.7
"""Per second, of one person."""
SHIFTS = 0.05
"""Spread of the errors with which movements are shown to the network that learns how they go on."""
MOST_CALIBRATED = 40
"""Clips on which the spread of generated behavior is measured."""

_GROUPS = {"pose": "pose", "eye": "blink", "expression": "expression"}
"""Columns that each term of the loss compares."""


@dataclass(frozen=True)
class FacialLossWeights:
    """Weight of each term; states are compared in units of their spread."""

    expression: float = 2.0
    pose: float = 1.0
    eye: float = 5.0
    adversarial: float = 0.1
    spectrum: float = 1.0
    """The power of head, brows and lids at each frequency."""
    movement: float = 1.0
    """How surprising real movements are, in the first stage."""


@dataclass(frozen=True)
class FacialTrainingConfig(RunConfig):
    """Configuration of a run."""

    start: str = ""
    """Trained weights, bundled or in a folder, that the run starts from; initial ones if empty."""
    movement_steps: int = 1500
    """Length of the first stage, in which nothing but the movement is trained."""
    rollout: bool = True
    """Whether the critic also sees windows that start from a generated state, as all but the first do in use."""
    motion: float = 10.0
    """Weight of the differences between frames relative to that of the states."""
    critic_penalty: float = 1.0
    """Weight of the squared gradient of the critic's scores of real windows (Mescheder et al. 2018, R1)."""
    blink_rate: float | None = 0.3
    """Blinks per second; None takes the rate of the clips."""
    data: BehaviorDataConfig = field(default_factory=BehaviorDataConfig)
    network: FacialConfig = field(default_factory=FacialConfig)
    loss_weights: FacialLossWeights = field(default_factory=FacialLossWeights)

    def __post_init__(self) -> None:
        check_ranges(self, motion=(0, 1e6), critic_penalty=(0, 1e6), movement_steps=(0, 1e9))
        if self.blink_rate is not None:
            check_ranges(self, blink_rate=PLAUSIBLE["blink_rate"])


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
        self.critic = BehaviorCritic(network.num_features, len(MOVING)) if config.loss_weights.adversarial > 0 else None
        self._real_and_generated: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
        if not config.start:
            rows = torch.cat([example.features for example in train])
            network.feature_mean.copy_(rows.mean(0))
            network.feature_std.copy_(rows.std(0).clamp_min(1e-3))
            network.settling.copy_(torch.tensor(SETTLING_FRAMES))
            steps = [example.behavior.states[:, MOVING].diff(dim=0) for example in train]
            network.movement.step.copy_(torch.cat(steps).std(0).clamp_min(1e-3))
        self.usual_power = real_power(self.sampler)[:, MOVING]
        set_statistics(network, self.full_examples(), config.blink_rate)

    def full_examples(self) -> list[BehaviorExample]:
        """Training clips that count in full; others show no ordinary speech."""
        shares = self.config.data.shares
        full = [e for e in self.sampler.examples if first_match(e.clip.speaker, shares, 1.0) >= 1]
        return full or self.sampler.examples

    def sample(self, generator: torch.Generator) -> BehaviorBatch:
        """Windows of the training clips."""
        return self.sampler.sample(generator)

    def loss_terms(self, step: int, batch: BehaviorBatch) -> dict[str, Tensor]:
        """How surprising the movement is; later, terms of the paper's equation 8 but that of the initial state.

        That one is zero by construction.
        """
        if step < self.config.movement_steps:
            return {"movement": self._surprise(batch)}
        first, later = self._generated(batch)
        second, _ = self._generated(batch)
        target, motion = batch.states[:, 1:], self.config.motion
        terms = {
            term: trajectory_error(first[..., part], second[..., part], target[..., part], batch.trusted, motion)
            for term, part in ((term, STATES[name]) for term, name in _GROUPS.items())
        }
        start = batch.states[:, :1]
        windows = [torch.cat([start, first], 1)]
        if self.config.rollout:
            windows.append(torch.cat([first[:, -1:].detach(), later], 1))
        else:
            windows.append(torch.cat([start, second], 1))
        judged = torch.cat(windows)[..., MOVING]
        terms["spectrum"] = spectrum_error(judged[:, 1:], self.usual_power.to(judged))
        if self.critic is not None:
            terms["adversarial"] = self._adversarial(batch, judged)
        return terms

    def _surprise(self, batch: BehaviorBatch) -> Tensor:
        """Mean over the frames that are trusted."""
        heard = nn.functional.dropout1d(
            self.model.heard(batch.features).transpose(1, 2), self.model.config.dropout, self.model.training
        )
        found = self.model.movement.surprise(heard.transpose(1, 2), batch.states[..., MOVING], SHIFTS)
        trusted = batch.trusted[:, 1:]
        return (found * trusted).sum() / trusted.sum().clamp_min(1)

    def _generated(self, batch: BehaviorBatch) -> tuple[Tensor, Tensor]:
        """States of a window that starts as the clip does, and of one that goes on from there."""
        features, starts = batch.features.repeat(1, 2, 1), batch.states[:, :2]
        movement = self.model.movement.sample(self.model.heard(features), starts[..., MOVING])
        added = starts.clone()
        added[..., MOVING] = 0
        windows = []
        for moved in movement.split(WINDOW, 1):
            found = self.model(batch.features, moved, added)
            windows.append(moved_by(found, moved))
            added = found[:, -2:].detach()
        return windows[0], windows[1]

    def _adversarial(self, batch: BehaviorBatch, windows: Tensor) -> Tensor:
        """How far the critic is from taking generated windows for real ones."""
        assert self.critic is not None
        heard = self._heard(batch.features)
        shown = heard.repeat(len(windows) // len(heard), 1, 1)
        self._real_and_generated = ((heard, batch.states[..., MOVING]), (shown, windows.detach()))
        return least_squares_error(self.critic(shown, windows), 1.0)

    def _heard(self, features: Tensor) -> Tensor:
        """Features for the critic, with a row for the frame before the window."""
        normalized = self.model.heard(features)
        return torch.cat([normalized[:, :1], normalized], 1)

    def critic_loss(self) -> Tensor | None:
        """Least-squares loss of the critic on the batch of the last `loss_terms`; None in the first stage."""
        if self.critic is None or self._real_and_generated is None:
            return None
        (heard, states), generated = self._real_and_generated
        states = states.detach().requires_grad_()
        real = self.critic(heard, states)
        (slope,) = torch.autograd.grad(real.sum(), states, create_graph=True)
        steep = slope.square().sum((1, 2)).mean()
        errors = least_squares_error(real, 1.0) + least_squares_error(self.critic(*generated), 0.0)
        return errors + self.config.critic_penalty * steep

    def validate(self) -> dict[str, float]:
        """Statistics of generated behavior next to the real one, on the validation speakers."""
        set_usual(self.model, self.full_examples())
        return evaluate_behavior(self.model, self.validation) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the folder that `animate --gestures` takes."""
        set_usual(self.model, self.full_examples())
        described = {"num_features": self.model.num_features, "num_states": NUM_STATES}
        write_model(run_dir, self.model, "gestures", "facial", {**described, "network": plain(self.config.network)})


def set_statistics(network: FacialNetwork, examples: Sequence[BehaviorExample], blink_rate: float | None) -> None:
    """Set how far and how often the people of some clips move."""
    spreads = torch.stack([example.behavior.spread for example in examples])
    network.spread.copy_(spreads.median(0).values)
    heads = spreads[:, STATES["pose"]].mean(1).log()
    quartiles = heads.quantile(torch.tensor([0.25, 0.75]))
    network.liveliness.copy_(((quartiles[1] - quartiles[0]) / QUARTILES_APART).clamp(max=MOST_LIVELINESS))
    lids = [example.behavior.states[:, STATES["blink"]][:, 0] * BLINK_UNIT for example in examples]
    found = [find_blinks(closure, FPS) for closure in lids]
    count, seconds = (sum(values) for values in zip(*((len(b.times), b.length_s) for b in found), strict=True))
    rate = (count + USUAL_BLINKS * USUAL_BLINKS_S) / (seconds + USUAL_BLINKS_S)
    network.blink_rate.fill_(min(MOST_BLINKS, max(LEAST_BLINKS, rate)) if blink_rate is None else blink_rate)


@torch.no_grad()
def set_usual(network: FacialNetwork, examples: Sequence[BehaviorExample]) -> None:
    """Set mean and spread of what the network generates, relative to which its behavior is used."""
    most = sorted(examples, key=lambda example: -example.num_frames)[:MOST_CALIBRATED]
    generator = torch.Generator().manual_seed(0)
    rows = [generated_windows(network, example.features, generator) for example in most]
    network.usual.copy_(torch.cat(rows).mean(0))
    network.usual_spread.copy_(torch.stack([row.std(0) for row in rows]).median(0).values.clamp_min(1e-3))
    lids = STATES["blink"].start
    network.usual[lids], network.usual_spread[lids] = 0.0, 1.0
    network.usual_closing.copy_(torch.cat(rows)[:, lids].clamp_min(0).mean())


def real_power(sampler: BehaviorSampler) -> Float[Tensor, "bins states"]:
    """Mean power spectrum of real behavior."""
    generator = torch.Generator().manual_seed(0)
    return torch.stack([power(sampler.sample(generator).states[:, 1:]) for _ in range(40)]).mean(0)


def make_task(config: FacialTrainingConfig, data_dir: Path | None) -> FacialTask:
    """Read the clips and build the network, with initial weights or trained ones."""
    clips = read_clips(data_dir, "facial")
    clips = [clip for clip in clips if not config.data.only or matches_any(clip.speaker, config.data.only)]
    tuned = config.start and not config.data.dev_speakers  # little data are enough, and nobody is kept
    train, validation = (clips, []) if tuned else split_clips(clips, config.data.dev_speakers)
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
