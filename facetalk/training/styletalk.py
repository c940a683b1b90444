"""Training the talker: StyleTalk's generator with its reconstruction loss, velocity and the lips' geometry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from facetalk.core.config import build, plain
from facetalk.core.errors import UsageError
from facetalk.data.dataset import Batch, DataConfig, Example, Sampler, read_example
from facetalk.data.manifest import read_manifest, split_by_speaker
from facetalk.head.channels import indices
from facetalk.io.files import replacing
from facetalk.io.heads import read_head
from facetalk.io.weights import write_tensors
from facetalk.losses.geometry import LipGeometry
from facetalk.losses.motion import decorrelation, reconstruction_error, spread_error, velocity_error, weighted_mean
from facetalk.models.motion_decoder import StyleMixer
from facetalk.models.registry import load_speech_encoder
from facetalk.models.talker import Talker, TalkerConfig
from facetalk.training.judging import judge_talker
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
    direct_ridge: float = 3.0
    """Ridge of the least squares that start the straight line from features to motion."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: DataConfig = field(default_factory=DataConfig)
    talker: TalkerConfig = field(default_factory=TalkerConfig)
    loss_weights: TalkerLossWeights = field(default_factory=TalkerLossWeights)


class StyleTalkTask:
    """The talker, its examples and its losses."""

    def __init__(
        self,
        config: StyleTalkConfig,
        talker: Talker,
        geometry: LipGeometry,
        learn: list[Example],
        judge: list[Example],
    ) -> None:
        self.config = config
        self.model = talker
        self.geometry = geometry
        learn = [widened(example, geometry, config.width_per_opening) for example in learn]
        self.sampler = Sampler(learn, config.data)
        self.judge = judge
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        set_statistics(talker, learn)
        set_direct(talker, learn, config.direct_ridge)

    def loss_terms(self, step: int, chance: torch.Generator) -> dict[str, Tensor]:
        """The terms on one batch."""
        set_mixing_temperature(self.model, step, self.config.mixing_anneal * self.config.loop.num_steps)
        batch = self.sampler.draw(chance)
        style_code = self.model.style_encoder(batch.reference, batch.reference_present)
        predicted = self.model(batch.features, batch.present, style_code)
        return self.judge_batch(predicted, batch)

    def judge_batch(self, predicted: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Loss terms of a prediction. Channels that speech does not drive are left out."""
        driven = self.model.driven.bool()
        predicted = torch.where(driven, predicted, batch.expression)
        unit = self.model.usual_spread[driven]
        mine, true = predicted[..., driven] / unit, batch.expression[..., driven] / unit
        curves, true_curves = self.geometry.curves(predicted), self.geometry.curves(batch.expression)
        lip_error = self.geometry.lips(predicted) - self.geometry.lips(batch.expression)
        return {
            "reconstruction": reconstruction_error(mine, true, batch.weight),
            "velocity": velocity_error(mine, true, batch.weight),
            "lips": weighted_mean(lip_error.square(), batch.weight),
            "curves": decorrelation(curves, true_curves, batch.weight, LEAST_MOVEMENT_MM),
            "spread": spread_error(curves, true_curves, batch.weight, LEAST_MOVEMENT_MM),
        }

    def validate(self) -> dict[str, float]:
        """Figures on the speakers that are kept for judging; empty without such speakers."""
        self.model.neutral_style.copy_(mean_style(self.model, self.sampler.examples))
        return judge_talker(self.model, self.judge, self.geometry) if self.judge else {}

    def export(self, run_dir: Path) -> None:
        """Write `model.safetensors` and `config.yaml`, which `load_talker` reads."""
        self.model.neutral_style.copy_(mean_style(self.model, self.sampler.examples))
        tensors = {
            name: value.half() if value.numel() > 1000 else value for name, value in self.model.state_dict().items()
        }
        write_tensors(run_dir / "model.safetensors", tensors, {"method": "styletalk"})
        described = {"head": self.config.head, "speech": self.config.speech, "talker": plain(self.config.talker)}
        with replacing(run_dir / "config.yaml") as temporary:
            temporary.write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")


def read_task_config(options: Mapping[str, Any]) -> StyleTalkConfig:
    """The run that a configuration describes."""
    return build(StyleTalkConfig, options)


def make_task(config: StyleTalkConfig, data_dir: Path | None) -> StyleTalkTask:
    """Read the dataset and the frozen parts, and build the model with fresh weights."""
    if data_dir is None:
        raise UsageError("styletalk learns from clips: give --data DIR, a folder made by facetalk fit VIDEO... -o DIR")
    geometry = LipGeometry(read_head(config.head))
    speech = load_speech_encoder(config.speech)
    learn, judge = split_by_speaker(read_manifest(data_dir), config.data.dev_speakers)
    examples = [read_example(clip, speech.encode, config.data) for clip in learn]
    kept = [read_example(clip, speech.encode, config.data) for clip in judge]
    talker = Talker(config.talker, speech.width, speech)
    return StyleTalkTask(config, talker, geometry, examples, kept)


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


def set_statistics(talker: Talker, examples: list[Example]) -> None:
    """Fill the talker's buffers: mean and scale of the features, usual spread of every channel within a clip."""
    features = torch.cat([example.features[0] for example in examples])
    talker.feature_mean.copy_(features.mean(0))
    talker.feature_scale.copy_(features.std(0).clamp_min(1e-3))
    lengths = torch.tensor([float(example.num_frames) for example in examples])
    variances = torch.stack([example.expression[0].var(0, correction=0) for example in examples])
    talker.usual_spread.copy_(((variances * lengths[:, None]).sum(0) / lengths.sum()).sqrt().clamp_min(0.01))


@torch.no_grad()
def set_direct(talker: Talker, examples: list[Example], ridge: float) -> None:
    """Start the talker's straight line from features to motion where regularised least squares put it.

    Both sides are taken less their mean over the clip; the motion is in units of the clip's own spread, as the talker
    puts it out.
    """
    size = talker.feature_mean.shape[0]
    squares = torch.zeros(size, size, dtype=torch.float64)
    products = torch.zeros(size, talker.usual_spread.shape[0], dtype=torch.float64)
    low, high = talker.config.spread_range
    for example in examples:
        features = ((example.features[0] - example.features[0].mean(0)) / talker.feature_scale).double()
        moved = example.expression[0] - example.expression[0].mean(0)
        spread = talker.usual_spread * (moved.square().mean(0).sqrt() / talker.usual_spread).clamp(low, high)
        squares += example.weight * features.T @ features
        products += example.weight * features.T @ (moved / spread * talker.driven).double()
    squares += ridge * squares.diagonal().mean() * torch.eye(size, dtype=torch.float64)
    talker.direct.weight.copy_(torch.linalg.solve(squares, products).T)


def set_mixing_temperature(talker: Talker, step: int, anneal_steps: float) -> None:
    """Near-uniform mixing of the weight sets at first, then the style's own."""
    done = min(1.0, step / max(1.0, anneal_steps))
    for module in talker.modules():
        if isinstance(module, StyleMixer):
            module.temperature.fill_(30.0 * (1 - done) + 1.0 * done)


@torch.no_grad()
def mean_style(talker: Talker, examples: list[Example]) -> Tensor:
    """The mean style code of clips that show no named emotion, each clip as much as it counts.

    Of the spreads the mean square is taken: half of the speakers are livelier than that.
    """
    calm = [example for example in examples if example.clip.label in ("", "neutral", "unstated", "calm")] or examples
    longest = talker.config.style.max_frames
    codes = []
    for example in calm:
        rows = example.expression[0][None, :longest]
        codes.append(talker.style_encoder(rows, torch.ones(rows.shape[:2], dtype=torch.bool))[0])
    shares = torch.tensor([example.weight * min(example.num_frames, longest) for example in calm])
    shares = shares / shares.sum()
    pooled, level, spread = talker.style_encoder.split(torch.stack(codes))
    spread = (shares @ spread.square()).sqrt()
    return torch.cat([shares @ pooled, shares @ level, spread])
