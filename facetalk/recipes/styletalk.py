"""The recipe of StyleTalk's generator on ARKit channels, with its losses and critics.

A loss of weight 0 is not computed, and a critic that no loss needs is neither read nor trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from facetalk.core.config import plain
from facetalk.data.dataset import Batch, DataConfig, Example, Sampler, pad, read_example, read_motion_example
from facetalk.data.manifest import read_clips
from facetalk.data.split import split_clips
from facetalk.head.channels import ARKIT_NAMES, indices
from facetalk.io.weights import write_model, write_tensors
from facetalk.losses.critics import hinge_error, sync_error, triplet_error
from facetalk.losses.geometry import LipGeometry
from facetalk.losses.motion import (
    centered_over_time,
    decorrelation,
    reconstruction_error,
    spread_error,
    velocity_error,
    weighted_mean,
)
from facetalk.motion.heads import load_head_assets
from facetalk.networks.critics import TemporalCritic
from facetalk.networks.motion_decoder import StyleMixer
from facetalk.networks.registry import load_speech
from facetalk.networks.styletalk import Generated, GeneratorConfig, StyleTalkGenerator
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.talker import evaluate_talker
from facetalk.recipes.parts.average_styles import emotion_styles, mean_style, set_amplitude
from facetalk.recipes.parts.fixed_critics import FixedStyleCritic, FixedSyncCritic
from facetalk.recipes.parts.linear_map import set_linear_map, set_statistics
from facetalk.talkers.styletalk import SpeakingConfig, StyleTalk

MIN_MOVEMENT_MM = 0.3
"""Smaller movements of the lips are noise of the tracker."""

CHANNEL_SHARE = 0.1
"""Weight of the squared error of all channels beside the correlation of lip gap and mouth width."""

FIRST_TEMPERATURE = 30.0
"""Temperature of the style mixing in the first step; it falls to 1."""


@dataclass(frozen=True)
class TalkerLossWeights:
    """Weight of each term. Channels are compared in units of their usual spread, lips in millimeters."""

    reconstruction: float = 1.0
    velocity: float = 0.5
    lips: float = 0.5
    curves: float = 1.0
    spread: float = 0.1
    ensemble: float = 1.0
    """The movement that each temporal network predicts by itself."""
    sync: float = 0.0
    style: float = 0.0
    temporal: float = 0.0
    triplet: float = 0.0


@dataclass(frozen=True)
class StyleTalkConfig(RunConfig):
    """Configuration of a run."""

    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    speech: str = "speech-encoder"
    """A bundled speech encoder, or a folder with one."""
    mixing_anneal: float = 0.1
    """Share of the run over which the temperature of the style mixing falls from 30 to 1."""
    width_per_opening: float = 0.0
    """Width in millimeters that the tracker misses for every millimeter that the mouth opens; added back here."""
    direct_ridge: float = 20.0
    """Regularization of the ridge regression that initializes the linear map from features to motion."""
    train_direct: bool = False
    """Whether the linear map is trained further, which overfits to few speakers."""
    amplitude: tuple[float, float] | None = None
    """How far lip gap and mouth width move after training, relative to the true ones (see `set_amplitude`); None leaves
    the amplitude to the losses."""
    triplet_margin: float = 5.0
    sync_critic: str = ""
    """Folder with a sync critic for `loss_weights.sync`, as `facetalk train sync-critic` writes it."""
    style_critic: str = ""
    """Folder with a style critic for `loss_weights.style`, as `facetalk train style-critic` writes it."""
    data: DataConfig = field(default_factory=DataConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    speaking: SpeakingConfig = field(default_factory=SpeakingConfig)
    loss_weights: TalkerLossWeights = field(default_factory=TalkerLossWeights)


class StyleTalkBatch(NamedTuple):
    """Excerpts of clips, and what the triplet loss compares them with."""

    excerpts: Batch
    second_reference: tuple[Float[Tensor, "batch frames n_expression"], Bool[Tensor, "batch frames"]] | None
    """Another style reference for each, and where it is not padding; None where the triplet loss has no weight."""


class StyleTalkTask:
    """The talker, its batches, its critics and its losses."""

    def __init__(
        self,
        config: StyleTalkConfig,
        talker: StyleTalk,
        geometry: LipGeometry,
        train: Sequence[Example],
        validation: Sequence[Example],
        *,
        motion_only: Sequence[Example] = (),
        sync: FixedSyncCritic | None = None,
        style: FixedStyleCritic | None = None,
    ) -> None:
        """Set the statistics and the linear map of the generator.

        Args:
            config: of the run.
            talker: its generator is trained; it has its initial weights.
            geometry: measures the mouth.
            train: clips to train on.
            validation: clips of other speakers.
            motion_only: clips without audio, which serve as style references.
            sync: the trained sync critic, where its loss has a weight.
            style: the trained style critic, where its loss has a weight.
        """
        self.config = config
        self.talker = talker
        self.model = generator = talker.generator
        self.geometry = geometry
        train = [widened(example, geometry, config.width_per_opening) for example in train]
        self.sampler = Sampler(train, config.data, motion_only)
        self.validation = validation
        self.sync, self.style = sync, style
        self.fixed_modules: Sequence[nn.Module] = [m for m in (geometry, sync, style) if m is not None]
        weights: Mapping[str, float] = plain(config.loss_weights)
        self.loss_weights: Mapping[str, float] = {name: weight for name, weight in weights.items() if weight > 0}
        self.critic = TemporalCritic(len(ARKIT_NAMES)) if "temporal" in self.loss_weights else None
        self._real_and_generated: tuple[Tensor, Tensor] | None = None
        generator.gap_dirs.copy_(geometry.curve_dirs[:, 0])
        set_statistics(generator, train)
        set_linear_map(generator, train, config.direct_ridge)
        generator.direct.requires_grad_(config.train_direct)

    def sample(self, generator: torch.Generator) -> StyleTalkBatch:
        """Excerpts of the training clips."""
        batch = self.sampler.sample(generator)
        if "triplet" not in self.loss_weights:
            return StyleTalkBatch(batch, None)
        return StyleTalkBatch(batch, pad(self.sampler.reference(index, generator) for index in batch.indices))

    def loss_terms(self, step: int, batch: StyleTalkBatch) -> dict[str, Tensor]:
        """The terms that have a weight."""
        set_mixing_temperature(self.model, step, self.config.mixing_anneal * self.config.loop.num_steps)
        excerpts = batch.excerpts
        style_code = self.model.style_encoder(excerpts.reference, excerpts.reference_present)
        generated = self.model(excerpts.features, excerpts.present, style_code)
        ensemble = self.ensemble_error(generated, excerpts)
        # The temporal networks learn by themselves: the decoders add to them, and do not shape them.
        expression = generated._replace(temporal=generated.temporal.detach()).expression()
        terms = self.motion_terms(expression, excerpts)
        if ensemble is not None:
            terms["ensemble"] = ensemble
        if batch.second_reference is not None:
            width = self.model.config.style.width  # the learned part of a code
            same = self.model.style_encoder.pool(*batch.second_reference)
            margin = self.config.triplet_margin
            terms["triplet"] = triplet_error(style_code[:, :width], same, excerpts.style_ids, margin)
        return terms

    def ensemble_error(self, generated: Generated, batch: Batch) -> Tensor | None:
        """How far lip gap and mouth width of each temporal network are from correlated with the true ones.

        A small share of the squared error of all channels is added, which keeps their amplitude. None where the
        generator has no such networks or the term has no weight.
        """
        members = generated.temporal.shape[1]
        if not members or "ensemble" not in self.loss_weights:
            return None
        driven, unit = self.model.driven, generated.spread.clamp_min(1e-6)
        moves = (generated.temporal * driven).flatten(0, 1)
        true = centered_over_time(batch.expression, batch.weight)
        weight, unit, true = (part.repeat_interleave(members, 0) for part in (batch.weight, unit, true))
        curves, true_curves = self.geometry.curves(moves * unit), self.geometry.curves(true)
        squared = ((moves - true / unit * driven).square().sum(2) * weight).sum() / (weight.sum() * driven.sum())
        return decorrelation(curves, true_curves, weight, MIN_MOVEMENT_MM) + CHANNEL_SHARE * squared

    def motion_terms(
        self,
        expression: Float[Tensor, "batch frames n_expression"],
        batch: Batch,
    ) -> dict[str, Tensor]:
        """Terms on a predicted expression; channels that speech does not drive are left out.

        Args:
            expression: not limited to [0, 1].
            batch: the true motion.
        """
        driven = self.model.driven.bool()
        predicted = torch.where(driven, expression, batch.expression)
        unit = self.model.usual_spread[driven]
        channels, true_channels = predicted[..., driven] / unit, batch.expression[..., driven] / unit
        curves, true_curves = self.geometry.curves(predicted), self.geometry.curves(batch.expression)
        lip_error = self.geometry.lips(predicted) - self.geometry.lips(batch.expression)
        terms = {
            "reconstruction": reconstruction_error(channels, true_channels, batch.weight),
            "velocity": velocity_error(channels, true_channels, batch.weight),
            "lips": weighted_mean(lip_error.square(), batch.weight),
            "curves": decorrelation(curves, true_curves, batch.weight, MIN_MOVEMENT_MM),
            "spread": spread_error(curves, true_curves, batch.weight, MIN_MOVEMENT_MM),
        }
        terms |= self._critic_terms(predicted, batch)
        return {name: term for name, term in terms.items() if name in self.loss_weights}

    def _critic_terms(self, predicted: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Terms of the critics. Those of style and temporal critic are on excerpts of full length only."""
        terms: dict[str, Tensor] = {}
        if self.sync is not None:
            terms["sync"] = sync_error(*self.sync(predicted, batch.features, batch.weight))
        whole = batch.present.all(1)
        generated, real = predicted[whole], batch.expression[whole]
        if self.style is not None:
            styles = [style for style, kept in zip(batch.style_ids, whole.tolist(), strict=True) if kept]
            terms["style"] = self.style.error(generated, styles)
        if self.critic is not None:
            unit = self.model.usual_spread
            score = -self.critic(generated / unit).mean() if len(generated) else predicted.new_zeros(())
            terms["temporal"] = score
            self._real_and_generated = (real / unit, (generated / unit).detach())
        return terms

    def critic_loss(self) -> Tensor:
        """Hinge loss of the temporal critic on the batch of the last `loss_terms`."""
        if self.critic is None or self._real_and_generated is None:
            raise ValueError("this run has no critic to train")
        real, generated = (self.critic(motion) for motion in self._real_and_generated)
        return hinge_error(real, generated)

    def validate(self) -> dict[str, float]:
        """Metrics on the validation speakers; empty if there are none."""
        self._set_averages()
        return evaluate_talker(self.talker, self.validation, self.geometry) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder, with the average styles of emotions as named styles."""
        self._set_averages()
        styles = emotion_styles(self.model, self.sampler.members)
        if styles:
            write_tensors(run_dir / "styles.safetensors", styles, {"format": "facetalk-styles"})
        described = {"head": self.config.head, "speech": self.config.speech}
        described |= {"num_features": len(self.model.feature_mean), "network": plain(self.config.generator)}
        described |= {"speaking": plain(self.config.speaking)}
        write_model(run_dir, self.model, "talker", "styletalk", described)

    def _set_averages(self) -> None:
        """Set the neutral style and the amplitude that go with the weights."""
        self.model.neutral_style.copy_(mean_style(self.model, self.sampler.examples))
        if self.config.amplitude:
            set_amplitude(self.talker, self.sampler.examples, self.geometry, self.config.amplitude)


def widened(example: Example, geometry: LipGeometry, width_per_opening: float) -> Example:
    """The example with the corners of its mouth moved apart, by `mouthStretch*`, in proportion to the lip gap."""
    columns = indices(("mouthStretchLeft", "mouthStretchRight"))
    step = width_per_opening / geometry.curve_dirs[columns, 1].sum()
    changed = []
    for expression in example.expression:
        expression = expression.clone()
        expression[:, columns] += step * geometry.curves(expression)[:, :1]
        changed.append(expression)
    return replace(example, expression=tuple(changed))


def set_mixing_temperature(generator: StyleTalkGenerator, step: int, anneal_steps: float) -> None:
    """Mix the weight sets of the decoders almost uniformly at first, then by the style."""
    done = min(1.0, step / max(1.0, anneal_steps))
    for module in generator.modules():
        if isinstance(module, StyleMixer):
            module.temperature.fill_(FIRST_TEMPERATURE * (1 - done) + 1.0 * done)


def make_task(config: StyleTalkConfig, data_dir: Path | None) -> StyleTalkTask:
    """Read the dataset and the fixed networks, and build the talker with initial weights."""
    clips = read_clips(data_dir, "styletalk")
    assets = load_head_assets(config.head)
    speech = load_speech(config.speech)
    train, validation = split_clips(clips, config.data.dev_speakers)
    talking = [read_example(clip, speech.encode, config.data) for clip in train if clip.has_audio]
    motion_only = [read_motion_example(clip, config.data) for clip in train if not clip.has_audio]
    kept = [read_example(clip, speech.encode, config.data) for clip in validation if clip.has_audio]
    talker = StyleTalk(StyleTalkGenerator(config.generator, speech.width), speech, config.speaking)
    sync = FixedSyncCritic.read(config.sync_critic, assets, speech.width) if config.loss_weights.sync > 0 else None
    style = FixedStyleCritic.read(config.style_critic) if config.loss_weights.style > 0 else None
    geometry = LipGeometry(assets)
    return StyleTalkTask(config, talker, geometry, talking, kept, motion_only=motion_only, sync=sync, style=style)


RECIPE = ConfiguredRecipe(StyleTalkConfig, make_task)
