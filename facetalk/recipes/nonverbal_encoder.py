"""The recipe of LaughTalk's non-verbal encoder: a teacher's features, emotions of whole clips, laughter in frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from facetalk.audio.augment import augment_waveform
from facetalk.core.config import check_ranges, plain
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.timing import FPS, SAMPLE_RATE, frame_times
from facetalk.data.laughter import LaughterExample, laughing_frames
from facetalk.data.laughter_mixing import LaughterDataConfig, LaughterSampler
from facetalk.data.manifest import read_manifest
from facetalk.data.sampling import random_index
from facetalk.data.speech import LAUGHTER_LABEL, SpeechExample, read_speech, teachers_at
from facetalk.data.split import split_clips
from facetalk.io.weights import write_model
from facetalk.networks.probed_encoder import ProbedEncoder, ProbedEncoderConfig
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.nonverbal_encoder import evaluate_voice
from facetalk.recipes.parts.encoder_start import continue_from
from facetalk.training.device import autocast

UNKNOWN = -1
"""Class of clips whose emotion is not known or not told apart; cross entropy leaves them out."""


@dataclass(frozen=True)
class NonverbalLossWeights:
    """Weight of each term."""

    teacher: float = 1.0
    emotion: float = 1.0
    laughter: float = 1.0


@dataclass(frozen=True)
class NonverbalDataConfig:
    """Which examples are sampled."""

    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns) that are kept for validation."""
    frames: int = 90
    batch_size: int = 16
    labeled_share: float = 0.7
    """Share of the examples from clips with a known emotion."""
    laughs_per_batch: int = 8
    """Further examples in a batch: laughs mixed into speech (`facetalk.data.laughter_mixing`)."""
    teachers: tuple[str, ...] = ("whisper",)
    laughter: LaughterDataConfig = field(default_factory=LaughterDataConfig)

    def __post_init__(self) -> None:
        check_ranges(self, frames=(2, 100_000), batch_size=(2, 100_000), labeled_share=(0, 1))
        check_ranges(self, laughs_per_batch=(1, 100_000))


@dataclass(frozen=True)
class NonverbalEncoderConfig(RunConfig):
    """Configuration of a run."""

    start: str = ""
    """A folder with a trained encoder to start from, such as a verbal one; initial weights if empty."""
    freeze_front: bool = False
    """Keep the convolutional front end as it is."""
    bfloat16: bool = True
    data: NonverbalDataConfig = field(default_factory=NonverbalDataConfig)
    network: ProbedEncoderConfig = field(default_factory=ProbedEncoderConfig)
    loss_weights: NonverbalLossWeights = field(default_factory=NonverbalLossWeights)


class VoiceBatch(NamedTuple):
    """Excerpts of recordings, then mixtures with laughs, all of the same length."""

    waveform: Float[Tensor, "all samples"]
    emotion: Int64[Tensor, " batch"]
    teacher: Float[Tensor, "batch frames components"]
    teacher_known: Float[Tensor, "batch frames"]
    laughing: Float[Tensor, "mixtures frames"]
    laughing_weight: Float[Tensor, "mixtures frames"]


class NonverbalEncoderTask:
    """The encoder, its batches and its losses."""

    fixed_modules: Sequence[nn.Module] = ()

    def __init__(
        self, config: NonverbalEncoderConfig, train: Sequence[SpeechExample], validation: Sequence[SpeechExample]
    ) -> None:
        self.config = config
        self.model = ProbedEncoder(config.network)
        if config.start:
            continue_from(self.model, config.start)
        if config.freeze_front:
            self.model.encoder.freeze_front()
        self.train, self.validation = train, validation
        emotions = config.network.emotions
        self.by_emotion: dict[int, list[SpeechExample]] = defaultdict(list)
        for example in train:
            self.by_emotion[emotion_class(example, emotions)].append(example)
        self.classes = [index for index in self.by_emotion if index != UNKNOWN]
        if not self.classes:
            raise FacetalkError(f"no recording has one of the labels {', '.join(emotions) or '(none given)'}")
        mixing = LaughterDataConfig(**{**vars(config.data.laughter), "frames": config.data.frames,
                                       "batch_size": config.data.laughs_per_batch})  # fmt: skip
        self.laughs = LaughterSampler([as_laughter(example) for example in train], mixing, config.loop.seed)
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)

    def sample(self, generator: torch.Generator) -> VoiceBatch:
        """Excerpts and mixtures, augmented; the labels stay those of the clean audio. Emotions are equally frequent."""
        rows = []
        for _ in range(self.config.data.batch_size):
            labeled = float(torch.rand((), generator=generator)) < self.config.data.labeled_share
            members = (
                self.by_emotion[self.classes[random_index(len(self.classes), generator)]] if labeled else self.train
            )
            rows.append(self._excerpt(members[random_index(len(members), generator)], generator))
        waveform, emotion, teacher, known = (torch.stack(parts) for parts in zip(*rows, strict=True))
        mixed = self.laughs.sample(generator)
        samples = waveform.shape[1]
        both = torch.cat([waveform, functional.pad(mixed.waveform, (0, samples - mixed.waveform.shape[1]))])
        augmented = augment_waveform(both, self.config.data.laughter.augment, generator)
        return VoiceBatch(augmented, emotion, teacher, known, mixed.laughing, mixed.weight)

    def loss_terms(self, step: int, batch: VoiceBatch) -> dict[str, Tensor]:
        """Unexplained share of the teacher's variance, and cross entropies of emotion and laughter."""
        with autocast(batch.waveform.device, self.config.bfloat16):
            rows = self.model(batch.waveform, self.config.data.frames)
            clips, mixtures = rows.split([len(batch.emotion), len(batch.laughing)])
            hidden, emotion = self.model.speech(clips).hidden, self.model.voice(clips).emotion
            laughter = self.model.voice(mixtures).laughter
        error, power = (hidden.float() - batch.teacher).square().sum(-1), batch.teacher.square().sum(-1)
        entropy = functional.binary_cross_entropy_with_logits(laughter.float(), batch.laughing, reduction="none")
        return {
            "teacher": (error * batch.teacher_known).sum() / (power * batch.teacher_known).sum().clamp_min(1e-6),
            "emotion": functional.cross_entropy(
                emotion.float(), batch.emotion, ignore_index=UNKNOWN, label_smoothing=0.1
            ),
            "laughter": (entropy * batch.laughing_weight).sum() / batch.laughing_weight.sum(),
        }

    def validate(self) -> dict[str, float]:
        """Metrics on the validation speakers."""
        return evaluate_voice(self.model, self.validation) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        write_model(run_dir, self.model, "wav2vec", "nonverbal-encoder", {"network": plain(self.config.network)})

    def _excerpt(self, example: SpeechExample, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Waveform, emotion, the teacher's features and where they are known."""
        frames = self.config.data.frames
        samples = round(frames / FPS * SAMPLE_RATE)
        start = random_index(max(1, len(example.waveform) - samples + 1), generator)
        waveform = example.waveform[start : start + samples].float()
        times = frame_times(frames) + start / SAMPLE_RATE + 0.5 / FPS
        teacher = teachers_at(example, self.config.data.teachers, times.float())
        known = ((times < example.duration_s) & (teacher is not None)).float()
        if teacher is None:
            teacher = torch.zeros(frames, self.config.network.hidden)
        emotion = torch.tensor(emotion_class(example, self.config.network.emotions))
        return functional.pad(waveform, (0, samples - len(waveform))), emotion, teacher, known


def emotion_class(example: SpeechExample, emotions: Sequence[str]) -> int:
    """Index of the emotion of a recording, without its strength (`happy/strong`); `UNKNOWN` if it is none of these."""
    name = example.clip.label.partition("/")[0]
    return emotions.index(name) if name in emotions else UNKNOWN


def as_laughter(example: SpeechExample) -> LaughterExample:
    """A recording as an example of laughter, or of none: in those labeled so, everything audible is laughter."""
    laughs = example.clip.label == LAUGHTER_LABEL
    frames = laughing_frames(example.waveform.float(), None if laughs else ())
    return LaughterExample(example.clip.name, example.clip.speaker, laughs, example.waveform, frames)


def make_task(config: NonverbalEncoderConfig, data_dir: Path | None) -> NonverbalEncoderTask:
    """Read the recordings and build the encoder with initial weights."""
    if data_dir is None:
        raise UsageError(
            "nonverbal-encoder is trained on recordings: give --data DIR, a speech folder (see facetalk/data/speech.py)"
        )
    train, validation = split_clips(read_manifest(data_dir), config.data.dev_speakers)
    return NonverbalEncoderTask(
        config, [read_speech(clip) for clip in train], [read_speech(clip) for clip in validation]
    )


RECIPE = ConfiguredRecipe(NonverbalEncoderConfig, make_task)
