"""The recipe of LaughTalk: a stage that talks, then a stage whose residual laughs (Sung-Bin et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.core.config import check_ranges, plain
from facetalk.core.errors import UsageError
from facetalk.data.manifest import read_clips
from facetalk.data.split import split_clips
from facetalk.data.voiced import VoicedExample, read_voiced
from facetalk.head.channels import GAZE_NAMES
from facetalk.head.controls import Controls
from facetalk.io.weights import write_model
from facetalk.losses.geometry import LipGeometry, PointGeometry
from facetalk.losses.motion import decorrelation, velocity_error, weighted_mean
from facetalk.motion.heads import load_head_assets
from facetalk.networks.laughtalk import LaughTalkConfig, LaughTalkNetwork, Stage
from facetalk.networks.registry import load
from facetalk.networks.wav2vec import Wav2VecEncoder, standardized
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.laughtalk import evaluate_laughtalk
from facetalk.recipes.parts.encoder_start import EncoderSource, start_encoder
from facetalk.recipes.parts.laughing_data import LaughTalkBatch, LaughTalkDataConfig, LaughTalkSampler, VoicedBatch
from facetalk.recipes.parts.laughing_set import laughs_with_motion, split_by_laughter
from facetalk.training.device import autocast
from facetalk.training.optim import OptimConfig

MIN_SPREAD = 0.08
"""Channels that move less are measured in this unit: in speech they are noise, in laughter they move far."""

AMPLITUDE_CLIPS = 40
SLOW_FRAMES = 11
MAX_AMPLITUDE = 3.0
"""Of the enlargement; a stage that hardly moves has not learned to talk."""
MIN_GAP_MM = 0.3
"""Smaller movements of the lips are noise of the tracker."""


@dataclass(frozen=True)
class LaughTalkLossWeights:
    """Weight of each term: of stage 1 as in eq. (1), of stage 2 on the sum of both stages as in eq. (2)."""

    talk_expression: float = 1.0
    """Squared error of expression and jaw, in units of each channel's spread."""
    talk_landmarks: float = 0.3
    """Squared distance of the 68 landmarks, square millimeters."""
    talk_velocity: float = 0.5
    """Absolute error of the changes from frame to frame; the article has neither this term nor the next."""
    talk_curves: float = 0.0
    """Lip gap and mouth width: how far they are from correlated with the true ones."""
    laugh_vertices: float = 1.0
    """Squared distance of all vertices, square millimeters."""
    laugh_expression: float = 0.3
    laugh_landmarks: float = 0.0
    laugh_rhythm: float = 0.0
    """How far the fast opening of the mouth in laughter is from correlated with the true one. Without it stage 2 takes
    out what stage 1 makes of the bursts, and learns the rest last, because it is small."""


@dataclass(frozen=True)
class LaughTalkTrainingConfig(RunConfig):
    """Configuration of a run. Stage 2 begins at `optim.restart_step`."""

    head: str = "facetalk"
    """The head that the dataset was fitted with."""
    start: str = ""
    """A folder with a trained LaughTalk whose stage 1 is used as it is; then only stage 2 is trained, and
    `optim.restart_step` is 0."""
    encoder: EncoderSource = field(default_factory=EncoderSource)
    """Of stage 1: one that was pretrained on speech."""
    emotion_encoder: EncoderSource = field(default_factory=EncoderSource)
    """Of stage 2: one that was pretrained to recognize emotion."""
    amplitude: float = 0.0
    """How far stage 1 opens the mouth, relative to the median of the training clips. A regression leaves out what it
    cannot predict, so the movement is enlarged at the end of stage 1. 0 leaves the amplitude to the losses."""
    forced_share: float = 0.2
    """Share of each stage in which the decoder gets the true past (teacher forcing), and its own thereafter."""
    bfloat16: bool = True
    """Compute the encoders in bfloat16 in training where the processor is fast at it."""
    optim: OptimConfig = field(default_factory=lambda: OptimConfig(restart_step=600))
    data: LaughTalkDataConfig = field(default_factory=LaughTalkDataConfig)
    network: LaughTalkConfig = field(default_factory=LaughTalkConfig)
    loss_weights: LaughTalkLossWeights = field(default_factory=LaughTalkLossWeights)

    def __post_init__(self) -> None:
        check_ranges(self, forced_share=(0, 1), amplitude=(0, 2))
        if self.start and self.optim.restart_step:
            raise ValueError("with start only stage 2 is trained: set optim.restart_step=0")
        if not self.start and not 0 < self.optim.restart_step < self.loop.num_steps:
            raise ValueError(
                f"optim.restart_step={self.optim.restart_step} is where stage 2 begins; it must lie between 0 and "
                f"loop.num_steps={self.loop.num_steps}"
            )


class LaughTalkTask:
    """Both stages, their batches and their losses."""

    def __init__(
        self,
        config: LaughTalkTrainingConfig,
        network: LaughTalkNetwork,
        controls: Controls,
        geometry: tuple[PointGeometry, LipGeometry],
        sampler: LaughTalkSampler,
        validation: Sequence[VoicedExample],
    ) -> None:
        """Set the units of the network's motion to those of the neutral clips.

        Args:
            config: of the run.
            network: with its initial weights.
            controls: columns of its motion.
            geometry: measures points and lips.
            sampler: of the training clips.
            validation: clips of other speakers.
        """
        self.config = config
        self.model = network
        self.controls = controls
        self.points, self.lips = geometry
        self.fixed_modules: Sequence[nn.Module] = geometry
        self.sampler, self.validation = sampler, validation
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        network.gap_dirs.copy_(self.lips.curve_dirs[:, 0])
        still = [index for index, name in enumerate(controls.names) if name in GAZE_NAMES]
        if not config.start:
            rows = torch.cat([example.rows[example.trusted > 0] for example in sampler.talking])
            network.mean.copy_(rows.mean(0))
            network.mean[still] = 0
            network.spread.copy_(rows.std(0).clamp_min(MIN_SPREAD))
        self.driven = torch.ones(controls.count)
        """0 for the gaze, which depends on where the camera stood and not on the voice."""
        self.driven[still] = 0

    def sample(self, generator: torch.Generator) -> LaughTalkBatch:
        """Excerpts of the training clips for both stages."""
        return self.sampler.sample(generator)

    def loss_terms(self, step: int, batch: LaughTalkBatch) -> dict[str, Tensor]:
        """The terms of the stage that this step belongs to; the others are left out."""
        first = self.config.optim.restart_step
        if step < first:
            return self.talk_terms(batch.talking, step < self.config.forced_share * first)
        self.model.talk.requires_grad_(False).eval()
        if step == first and self.config.amplitude and not self.config.start:
            self._set_amplitude()
        steps = self.config.loop.num_steps - first
        return self.laugh_terms(batch.laughing, step - first < self.config.forced_share * steps)

    def talk_terms(self, batch: VoicedBatch, forced: bool) -> dict[str, Tensor]:
        """Eq. (1) on the motion of stage 1.

        Args:
            batch: neutral speech.
            forced: whether the decoder gets the true past.
        """
        true = (batch.rows - self.model.mean) / self.model.spread
        predicted = self._decoded(self.model.talk, batch.waveform, true if forced else None)
        error = (predicted - true) * self.driven.to(true)
        landmarks = self.points.landmarks(error * self.model.spread)
        return {
            "talk_expression": weighted_mean(error.square(), batch.weight),
            "talk_landmarks": weighted_mean(landmarks, batch.weight),
            "talk_velocity": velocity_error(error, torch.zeros_like(error), batch.weight),
            "talk_curves": self._curves_error(predicted, true, batch.weight),
        }

    def laugh_terms(self, batch: VoicedBatch, forced: bool) -> dict[str, Tensor]:
        """Eq. (2) on the sum of both stages; outside of laughter the target is what stage 1 says.

        Args:
            batch: speech with laughter.
            forced: whether the decoder gets the true past.
        """
        with torch.no_grad():
            talking = self.model.amplitude * self._decoded(self.model.talk, batch.waveform, None)
        true = (batch.rows - self.model.mean) / self.model.spread
        residual = (true - talking) * batch.shown[..., None] * self.driven.to(true)
        predicted = self._decoded(self.model.laugh, batch.waveform, residual if forced else None)
        error = predicted - residual
        return {
            "laugh_vertices": weighted_mean(self.points.vertices(error * self.model.spread), batch.weight),
            "laugh_expression": weighted_mean(error.square(), batch.weight),
            "laugh_landmarks": weighted_mean(self.points.landmarks(error * self.model.spread), batch.weight),
            "laugh_rhythm": self._rhythm_error(talking + predicted, talking + residual, batch.weight * batch.shown),
        }

    def validate(self) -> dict[str, float]:
        """Metrics on the validation speakers; empty if there are none."""
        return evaluate_laughtalk(self.model, self.controls, self.lips, self.validation) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        described = {"head": self.config.head, "channels": list(self.controls.names)}
        described |= {"num_channels": self.controls.count, "network": plain(self.model.config)}
        write_model(run_dir, self.model, "talker", "laughtalk", described)

    def _curves_error(self, predicted: Tensor, true: Tensor, weight: Tensor) -> Tensor:
        """Disagreement of the mouth's curves over time, whatever their amplitude."""
        curves, true_curves = (self.lips.curves(rows * self.model.spread) for rows in (predicted, true))
        return decorrelation(curves, true_curves, weight, MIN_GAP_MM)

    def _rhythm_error(self, predicted: Tensor, true: Tensor, weight: Tensor) -> Tensor:
        """Disagreement of the fast part of the lip gap over time."""
        gaps = (self.lips.curves(rows * self.model.spread)[..., :1] for rows in (predicted, true))
        fast, true_fast = (gap - slow_course(gap) for gap in gaps)
        return decorrelation(fast, true_fast, weight, MIN_GAP_MM)

    def _set_amplitude(self) -> None:
        """Enlarge the movement of stage 1 until the lips part as far as in the median of some training clips."""
        self.model.amplitude.fill_(1.0)
        clips = self.sampler.talking[:: max(1, len(self.sampler.talking) // AMPLITUDE_CLIPS)]
        ratios = []
        for example in clips:
            moved = self.model.talking(example.waveform.float().to(self.model.mean.device))
            gap, true = (self.lips.curves(rows.to(self.model.mean))[:, 0].std() for rows in (moved, example.rows))
            ratios.append(true / gap.clamp_min(MIN_GAP_MM))
        self.model.amplitude.copy_((self.config.amplitude * torch.stack(ratios).median()).clamp(1, MAX_AMPLITUDE))

    def _decoded(
        self, stage: Stage, waveform: Float[Tensor, "batch samples"], past: Float[Tensor, "batch frames _"] | None
    ) -> Float[Tensor, "batch frames _"]:
        """Motion of a stage for its own past or a given one, in units of the spread."""
        with autocast(waveform.device, self.config.bfloat16):
            memory = stage.encode(standardized(waveform), self.config.data.length)
        memory = memory.float()
        return stage.decoder.roll_out(memory)[0] if past is None else stage.decoder(memory, past)


def slow_course(curves: Float[Tensor, "batch frames curves"]) -> Float[Tensor, "batch frames curves"]:
    """Curves averaged over a third of a second, longer than a burst of laughter."""
    around = SLOW_FRAMES // 2
    padded = nn.functional.pad(curves.transpose(1, 2), (around, around), mode="replicate")
    return nn.functional.avg_pool1d(padded, SLOW_FRAMES, 1).transpose(1, 2)


def make_task(config: LaughTalkTrainingConfig, data_dir: Path | None) -> LaughTalkTask:
    """Read the clips and the encoders, pair laughter with motion, and build the network."""
    clips = read_clips(data_dir, "laughtalk")
    assets = load_head_assets(config.head)
    controls = Controls(assets.shape.expression_names)
    kept, validation = split_clips([clip for clip in clips if clip.has_audio], config.data.dev_speakers)
    lags = config.data.audio_lags_ms
    train = [read_voiced(clip, controls, audio_lags_ms=lags) for clip in kept]
    held = [read_voiced(clip, controls, audio_lags_ms=lags) for clip in validation]
    lips = LipGeometry(assets)
    talking, laughing = split_by_laughter(train, controls, config.data)
    laughs = laughs_with_motion(laughing, controls, lips, config.data, config.loop.seed)
    sampler = LaughTalkSampler(talking, laughing, laughs, config.data)
    nonverbal = start_encoder(config.emotion_encoder, config.network.nonverbal, "laugh")
    if config.start:
        network = with_stage_1(config, nonverbal, controls.count)
    else:
        verbal = start_encoder(config.encoder, config.network.verbal, "talk")
        network = LaughTalkNetwork(config.network, controls.count, (verbal, nonverbal))
    return LaughTalkTask(config, network, controls, (PointGeometry(assets), lips), sampler, held)


def with_stage_1(config: LaughTalkTrainingConfig, nonverbal: Wav2VecEncoder, num_channels: int) -> LaughTalkNetwork:
    """A new network with the stage 1 of a trained one.

    Raises:
        UsageError: the folder holds another talker, or one for another head.
    """
    trained = load("talker", config.start)
    if not isinstance(trained, LaughTalkNetwork) or len(trained.mean) != num_channels:
        raise UsageError(f"start={config.start} is not a LaughTalk for the head {config.head}")
    network = LaughTalkNetwork(
        replace(config.network, decoder=trained.config.decoder), num_channels, (trained.talk.encoder, nonverbal)
    )
    network.talk.load_state_dict(trained.talk.state_dict())
    for name in ("mean", "spread", "amplitude"):
        getattr(network, name).copy_(getattr(trained, name))
    return network


RECIPE = ConfiguredRecipe(LaughTalkTrainingConfig, make_task)
