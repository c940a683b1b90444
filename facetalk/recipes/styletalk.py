"""Training the talker: StyleTalk's generator, its losses and critics, and the lips' geometry.

A loss of weight 0 is not computed, and a critic that no loss asks for is neither read nor trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.config import build, plain
from facetalk.data.dataset import Batch, DataConfig, Example, Sampler, pad, read_example, read_mute_example
from facetalk.data.manifest import read_clips, split_by_speaker
from facetalk.head.channels import ARKIT_NAMES, indices
from facetalk.io.heads import read_head
from facetalk.io.weights import write_model, write_tensors
from facetalk.losses.critics import hinge_error, sync_error, triplet_error
from facetalk.losses.geometry import LipGeometry
from facetalk.losses.motion import (
    closure_error,
    decorrelation,
    reconstruction_error,
    spread_error,
    velocity_error,
    weighted_mean,
)
from facetalk.networks.critics import TemporalCritic
from facetalk.networks.motion_decoder import StyleMixer
from facetalk.networks.registry import load_speech
from facetalk.networks.styletalk import DIRECT_DILATION, DIRECT_TAPS, GeneratorConfig, StyleTalkGenerator
from facetalk.recipes.average_styles import mean_style, mood_styles, set_amplitude
from facetalk.recipes.evaluation.mouth import judge_talker
from facetalk.recipes.frozen_critics import FrozenStyleCritic, FrozenSyncCritic
from facetalk.talkers.styletalk import SpeakingConfig, StyleTalk
from facetalk.training.loop import LoopConfig
from facetalk.training.optim import OptimConfig

LEAST_MOVEMENT_MM = 0.3
"""Movements of the lips below this are noise of the tracker."""


@dataclass(frozen=True)
class TalkerLossWeights:
    """Weight of each term. Channels are judged in units of their usual spread, lips in millimetres."""

    reconstruction: float = 1.0
    velocity: float = 0.5
    lips: float = 0.5
    curves: float = 1.0
    spread: float = 0.1
    closure: float = 0.0
    """Whether the lips are shut, and that they are then."""
    sync: float = 0.0
    style: float = 0.0
    temporal: float = 0.0
    triplet: float = 0.0


@dataclass(frozen=True)
class StyleTalkConfig:
    """A whole run."""

    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    speech: str = "speech-encoder"
    """Bundled speech encoder, or a folder with one."""
    mixing_anneal: float = 0.1
    """Share of the run over which the temperature of the style mixing falls from 30 to 1 (METHODS 3.5)."""
    width_per_opening: float = 0.0
    """Millimetres by which the tracked mouth is too narrow for every millimetre that it opens; taken back here."""
    direct_ridge: float = 20.0
    """Ridge of the least squares that start the straight line from features to motion."""
    learn_direct: bool = False
    """Whether the straight line goes on learning. On a few speakers it then learns them by heart."""
    amplitude: tuple[float, float] | None = None
    """How far lip gap and mouth width move in the end, compared with true ones, see `set_amplitude`; left to the losses
    if not given."""
    closed_mm: float = 1.0
    """Lips whose gap is at most this much wider than at rest count as shut."""
    shut_weight: float = 2.0
    """How much worse an open mouth is that should be shut than the other way round."""
    triplet_margin: float = 5.0
    sync_critic: str = ""
    """Folder with a sync critic, for `loss_weights.sync`: what `facetalk train sync-critic` wrote."""
    style_critic: str = ""
    """Folder with a style critic, for `loss_weights.style`: what `facetalk train style-critic` wrote."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: DataConfig = field(default_factory=DataConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    speaking: SpeakingConfig = field(default_factory=SpeakingConfig)
    loss_weights: TalkerLossWeights = field(default_factory=TalkerLossWeights)


class StyleTalkTask:
    """The talker, its examples, its critics and its losses."""

    def __init__(
        self,
        config: StyleTalkConfig,
        talker: StyleTalk,
        geometry: LipGeometry,
        learn: list[Example],
        judge: list[Example],
        *,
        mute: list[Example] | None = None,
        sync: FrozenSyncCritic | None = None,
        style: FrozenStyleCritic | None = None,
    ) -> None:
        self.config = config
        self.talker = talker
        self.model = generator = talker.generator
        self.geometry = geometry
        learn = [widened(example, geometry, config.width_per_opening) for example in learn]
        self.sampler = Sampler(learn, config.data, mute or [])
        self.judge = judge
        self.sync, self.style = sync, style
        weights: Mapping[str, float] = plain(config.loss_weights)
        self.loss_weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.critic = TemporalCritic(len(ARKIT_NAMES)) if "temporal" in self.loss_weights else None
        self._real_and_made: tuple[Tensor, Tensor] | None = None
        generator.gap_dirs.copy_(geometry.curve_dirs[:, 0])
        set_statistics(generator, learn)
        set_direct(generator, learn, config.direct_ridge)
        generator.direct.requires_grad_(config.learn_direct)

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """The terms on one batch."""
        set_mixing_temperature(self.model, step, self.config.mixing_anneal * self.config.loop.num_steps)
        batch = self.sampler.draw(chance)
        style_code = self.model.style_encoder(batch.reference, batch.reference_present)
        made = self.model(batch.features, batch.present, style_code)
        expression = made.expression()
        if self.config.speaking.closing:
            expression = self.talker.with_closed_lips(expression, made.closure.sigmoid(), batch.features)
        terms = self.judge_batch(expression, made.closure, batch)
        if "triplet" in self.loss_weights:
            terms["triplet"] = self._triplet(style_code, batch, chance)
        return terms

    def judge_batch(self, expression: Tensor, closure: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Loss terms of a predicted expression and of the logit of closed lips, without channels that speech does not
        drive.
        """
        driven = self.model.driven.bool()
        predicted = torch.where(driven, expression, batch.expression)
        unit = self.model.usual_spread[driven]
        mine, true = predicted[..., driven] / unit, batch.expression[..., driven] / unit
        curves, true_curves = self.geometry.curves(predicted), self.geometry.curves(batch.expression)
        lip_error = self.geometry.lips(predicted) - self.geometry.lips(batch.expression)
        terms = {
            "reconstruction": reconstruction_error(mine, true, batch.weight),
            "velocity": velocity_error(mine, true, batch.weight),
            "lips": weighted_mean(lip_error.square(), batch.weight),
            "curves": decorrelation(curves, true_curves, batch.weight, LEAST_MOVEMENT_MM),
            "spread": spread_error(curves, true_curves, batch.weight, LEAST_MOVEMENT_MM),
        }
        if "closure" in self.loss_weights:
            gap, true_gap = curves[..., 0], true_curves[..., 0]
            limits = self.config.closed_mm, self.config.shut_weight
            terms["closure"] = closure_error(closure, gap, true_gap, batch.weight, *limits)
        terms |= self._criticised(predicted, batch)
        return {name: term for name, term in terms.items() if name in self.loss_weights}

    def _criticised(self, predicted: Tensor, batch: Batch) -> dict[str, Tensor]:
        """What the critics say of whole stretches; shorter ones are left out."""
        terms: dict[str, Tensor] = {}
        if self.sync is not None:
            terms["sync"] = sync_error(*self.sync(predicted, batch.features, batch.weight))
        whole = batch.present.all(1)
        made, real = predicted[whole], batch.expression[whole]
        if self.style is not None:
            styles = [style for style, kept in zip(batch.style_ids, whole.tolist(), strict=True) if kept]
            terms["style"] = self.style.error(made, styles)
        if self.critic is not None:
            unit = self.model.usual_spread
            terms["temporal"] = -self.critic(made / unit).mean() if len(made) else predicted.new_zeros(())
            self._real_and_made = (real / unit, (made / unit).detach())
        return terms

    def critic_loss(self) -> Tensor:
        """Hinge loss of the temporal critic on the batch drawn last."""
        if self.critic is None or self._real_and_made is None:
            raise ValueError("this run has no critic that learns")
        real, made = (self.critic(motion) for motion in self._real_and_made)
        return hinge_error(real, made)

    def _triplet(self, style_code: Tensor, batch: Batch, chance: torch.Generator) -> Tensor:
        """The learned parts of the codes beside those of other frames in the same styles."""
        others, present = pad(self.sampler.reference(index, chance) for index in batch.indices)
        width = self.model.config.style.width
        same = self.model.style_encoder.pool(others, present)
        return triplet_error(style_code[:, :width], same, batch.style_ids, self.config.triplet_margin)

    def validate(self) -> dict[str, float]:
        """Figures on the speakers that are kept for judging; empty without such speakers."""
        self._settle()
        return judge_talker(self.talker, self.judge, self.geometry) if self.judge else {}

    def export(self, run_dir: Path) -> None:
        """Write `model.safetensors` and `config.yaml`, which `load_talker` reads, and the moods as named styles."""
        self._settle()
        moods = mood_styles(self.model, self.sampler.members)
        if moods:
            write_tensors(run_dir / "styles.safetensors", moods, {"format": "facetalk-styles"})
        described = {"head": self.config.head, "speech": self.config.speech}
        described |= {"num_features": len(self.model.feature_mean), "network": plain(self.config.generator)}
        described |= {"speaking": plain(self.config.speaking)}
        write_model(run_dir, self.model, "talker", "styletalk", described)

    def _settle(self) -> None:
        """Find the neutral style and the amplitude that go with the weights."""
        self.model.neutral_style.copy_(mean_style(self.model, self.sampler.examples))
        if self.config.amplitude:
            set_amplitude(self.talker, self.sampler.examples, self.geometry, self.config.amplitude)


def read_task_config(options: Mapping[str, Any]) -> StyleTalkConfig:
    """The run that a configuration describes."""
    return build(StyleTalkConfig, options)


def make_task(config: StyleTalkConfig, data_dir: Path | None) -> StyleTalkTask:
    """Read the dataset and the frozen parts, and build the model with fresh weights."""
    clips = read_clips(data_dir, "styletalk")
    assets = read_head(config.head)
    speech = load_speech(config.speech)
    learn, judge = split_by_speaker(clips, config.data.dev_speakers)
    examples = [read_example(clip, speech.encode, config.data) for clip in learn if clip.has_audio]
    mute = [read_mute_example(clip, config.data) for clip in learn if not clip.has_audio]
    kept = [read_example(clip, speech.encode, config.data) for clip in judge if clip.has_audio]
    talker = StyleTalk(StyleTalkGenerator(config.generator, speech.width), speech, config.speaking)
    sync = FrozenSyncCritic.read(config.sync_critic, assets, speech.width) if config.loss_weights.sync > 0 else None
    style = FrozenStyleCritic.read(config.style_critic) if config.loss_weights.style > 0 else None
    geometry = LipGeometry(assets)
    return StyleTalkTask(config, talker, geometry, examples, kept, mute=mute, sync=sync, style=style)


def widened(example: Example, geometry: LipGeometry, width_per_opening: float) -> Example:
    """The example with the corners of its mouth drawn apart, by `mouthStretch*`, in proportion to its opening."""
    columns = indices(("mouthStretchLeft", "mouthStretchRight"))
    step = width_per_opening / geometry.curve_dirs[columns, 1].sum()
    changed = []
    for expression in example.expression:
        expression = expression.clone()
        expression[:, columns] += step * geometry.curves(expression)[:, :1]
        changed.append(expression)
    return replace(example, expression=tuple(changed))


def set_statistics(talker: StyleTalkGenerator, examples: list[Example]) -> None:
    """Fill the talker's buffers: mean and scale of the features, usual spread of every channel within a clip."""
    features = torch.cat([example.features[0] for example in examples])
    talker.feature_mean.copy_(features.mean(0))
    talker.feature_scale.copy_(features.std(0).clamp_min(1e-3))
    lengths = torch.tensor([float(example.num_frames) for example in examples])
    variances = torch.stack([example.expression[0].var(0, correction=0) for example in examples])
    talker.usual_spread.copy_(((variances * lengths[:, None]).sum(0) / lengths.sum()).sqrt().clamp_min(0.01))


@torch.no_grad()
def set_direct(talker: StyleTalkGenerator, examples: list[Example], ridge: float) -> None:
    """Start the talker's straight line from features to motion where regularised least squares put it.

    Both sides are taken less their mean over the clip; the motion is in units of the clip's own spread, as the talker
    puts it out.
    """
    num_channels, num_features, taps = talker.direct.weight.shape
    size = num_features * taps
    squares = torch.zeros(size, size, dtype=torch.float64)
    products = torch.zeros(size, num_channels, dtype=torch.float64)
    low, high = talker.config.spread_range
    for example in examples:
        features = windowed((example.features[0] - talker.feature_mean) / talker.feature_scale)
        features = example.weight**0.5 * (features - features.mean(0))
        moved = example.expression[0] - example.expression[0].mean(0)
        spread = talker.usual_spread * (moved.square().mean(0).sqrt() / talker.usual_spread).clamp(low, high)
        squares += features.T @ features
        products += features.T @ (example.weight**0.5 * moved / spread * talker.driven)
    squares += ridge * squares.diagonal().mean() * torch.eye(size, dtype=torch.float64)
    solved = torch.linalg.solve(squares, products)
    talker.direct.weight.copy_(solved.T.unflatten(1, (num_features, taps)))


def windowed(features: Float[Tensor, "frames features"]) -> Float[Tensor, "frames taps_by_features"]:
    """Rows as the talker's straight line sees them: a feature's moments side by side, zero beyond the clip."""
    reach = DIRECT_DILATION * (DIRECT_TAPS // 2)
    padded = torch.nn.functional.pad(features, (0, 0, reach, reach))
    return padded.unfold(0, 2 * reach + 1, 1)[..., ::DIRECT_DILATION].flatten(1)


def set_mixing_temperature(talker: StyleTalkGenerator, step: int, anneal_steps: float) -> None:
    """Near-uniform mixing of the weight sets at first, then the style's own."""
    done = min(1.0, step / max(1.0, anneal_steps))
    for module in talker.modules():
        if isinstance(module, StyleMixer):
            module.temperature.fill_(30.0 * (1 - done) + 1.0 * done)
