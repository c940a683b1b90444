"""The recipe of EmoTalk: cross-reconstruction of content and emotion (Peng et al. 2023)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from facetalk.audio.phonemes import PHONEMES
from facetalk.audio.sound_synthesis import synthesize_sound
from facetalk.core.config import check_ranges, plain
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.data.dataset import read_example, read_motion_example
from facetalk.data.emotional import UNKNOWN, Shown, emotional_faces, felt
from facetalk.data.manifest import Clip, read_clips, split_by_speaker
from facetalk.data.speech import read_recordings
from facetalk.data.split import split_clips
from facetalk.head.channels import ARKIT_NAMES, IDLE_NAMES, indices
from facetalk.io.audio import read_waveform
from facetalk.io.weights import write_model
from facetalk.losses.geometry import LipGeometry
from facetalk.losses.motion import decorrelation, weighted_mean
from facetalk.motion.heads import load_head_assets
from facetalk.networks.emotalk import (
    REACH_FRAMES,
    ContentCritics,
    EmoTalkConfig,
    EmoTalkNetwork,
    EmotionTeacher,
    windowed,
)
from facetalk.networks.registry import load_speech
from facetalk.networks.speech_rows import SpeechRows
from facetalk.networks.styletalk import SpeechFeatures, feature_blocks
from facetalk.networks.wav2vec import Wav2VecEncoder
from facetalk.recipes.base import ConfiguredRecipe, RunConfig
from facetalk.recipes.evaluation.emotalk import evaluate_emotalk, voiced
from facetalk.recipes.parts.average_styles import LIP_OPENING_CHANNELS
from facetalk.recipes.parts.emotion_head import EmotionHeadConfig, KnownVoice, fit_emotion_head
from facetalk.recipes.parts.emotional_data import (
    ORDINARY,
    ORDINARY_LABELS,
    EmoTalkBatch,
    EmoTalkDataConfig,
    EmotionalExample,
    EmotionalSampler,
    Examples,
    Exchange,
    Voices,
)
from facetalk.recipes.parts.encoder_start import EncoderSource, start_encoder
from facetalk.talkers.base import Talker
from facetalk.talkers.lip_contact import closure_of
from facetalk.talkers.registry import load_talker
from facetalk.training.optim import OptimConfig

MIN_SPREAD = 0.02
"""Channels that move less are measured in this unit: their movement is noise of the tracker."""
MIN_STATISTIC = 1e-3
"""Least spread of what is heard: columns that hardly vary would be blown up."""
MIN_GAP_MM = 0.3
"""Smaller movements of the lips are noise of the tracker."""
LIDS_AT_MOST = 0.1
"""Of the resting lids: those of the tracked faces are lower where somebody looks down."""
AMPLITUDE_CLIPS = 40
_LISTED = 5
"""Labels that a warning names."""
MIN_AMPLITUDE, MAX_AMPLITUDE = 0.5, 2.0


SHARED = "shared"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmoTalkLossWeights:
    """Weight of each term; the first four are those of EmoFace, which took over EmoTalk's losses."""

    self: float = 1000.0
    """Squared error of each example in its own emotion."""
    cross: float = 1000.0
    """Squared error of the content of one with the emotion of another."""
    velocity: float = 500.0
    """Squared error of the changes from frame to frame, on all outputs."""
    classification: float = 1e-4
    """Cross entropies of emotion and level."""
    asked: float = 1000.0
    """Squared error with an emotion that is asked for by name; not in the paper, nor are the following."""
    curves: float = 0.0
    """How far lip gap and mouth width are from correlated with the true ones."""
    reversal: float = 0.0
    """Cross entropy of the emotion read from the content feature, which learns to hide it."""
    phonemes: float = 0.0
    """Cross entropy of the phonemes read from the content feature."""


@dataclass(frozen=True)
class EmoTalkTrainingConfig(RunConfig):
    """Configuration of a run. Up to `optim.restart_step` only the emotion encoder learns, from labels: the paper's was
    trained to recognize emotions before."""

    head: str = "facetalk"
    """The head that the dataset was fitted with; it has the ARKit channels."""
    speech: str = "speech-encoder"
    """The speech encoder whose rows both encoders hear, where they have no front ends of their own; it also tells the
    phonemes."""
    content_encoder: EncoderSource = field(default_factory=lambda: EncoderSource("shared"))
    """`shared`, or wav2vec 2.0 weights with a front end of their own; both encoders have one, or none."""
    emotion_encoder: EncoderSource = field(default_factory=lambda: EncoderSource("shared"))
    amplitude: float = 0.0
    """How far the mouth opens relative to the median of the training clips, set after training; 0 leaves it to the
    losses."""
    reconstruction_share: float = 0.1
    """Share of the gradients of the motion that reaches the emotion encoder: they would teach it what is said."""
    level_dropout: float = 0.2
    """How often the level of an example is not told."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    voice_head: EmotionHeadConfig = field(default_factory=EmotionHeadConfig)
    """The classifier of emotions, which is fitted after training."""
    data: EmoTalkDataConfig = field(default_factory=EmoTalkDataConfig)
    network: EmoTalkConfig = field(default_factory=EmoTalkConfig)
    loss_weights: EmoTalkLossWeights = field(default_factory=EmoTalkLossWeights)

    def __post_init__(self) -> None:
        check_ranges(self, amplitude=(0, 2), level_dropout=(0, 1), reconstruction_share=(0, 1))
        if (self.content_encoder.name == SHARED) != (self.emotion_encoder.name == SHARED):
            raise ValueError(
                "content_encoder and emotion_encoder must both be shared, or both have weights of their own"
            )


class TrainedEmoTalk(nn.Module):
    """The network, and what only its training needs."""

    def __init__(self, network: EmoTalkNetwork) -> None:
        super().__init__()
        self.network = network
        config = network.config
        self.teacher = EmotionTeacher(config.emotion.width, len(config.sounds), config.dropout)
        self.critics = ContentCritics(config.content_width, len(PHONEMES), len(config.sounds))


class EmoTalkTask:
    """The network, its batches and its losses."""

    def __init__(
        self,
        config: EmoTalkTrainingConfig,
        network: EmoTalkNetwork,
        lips: LipGeometry,
        sampler: EmotionalSampler,
        validation: Sequence[EmotionalExample],
        sounds: Sequence[Float[Tensor, "frames features"]] = (),
    ) -> None:
        """Set the units of the network's input and output to those of the training clips.

        Args:
            config: of the run.
            network: with its initial weights.
            lips: measures the mouth.
            sampler: of the training clips and recordings.
            validation: clips and recordings of other speakers.
            sounds: rows of what is no speech.
        """
        self.config = config
        self.model = TrainedEmoTalk(network)
        self.lips, self.fixed_modules = lips, (lips,)
        self.sampler, self.validation, self.sounds = sampler, validation, sounds
        self.loss_weights: Mapping[str, float] = plain(config.loss_weights)
        network.gap_dirs.copy_(lips.curve_dirs[:, 0])
        heard = torch.cat([example.rows for example in (*sampler.clips, *sampler.spoken)])
        network.feature_mean.copy_(heard.mean(0))
        network.feature_std.copy_(heard.std(0).clamp_min(MIN_STATISTIC))
        around = torch.cat([self._statistics(example) for example in sampler.spoken or sampler.clips])
        network.context_mean.copy_(around.mean(0))
        network.context_std.copy_(around.std(0).clamp_min(MIN_STATISTIC))
        shown = torch.cat([example.expression[example.trusted > 0] for example in sampler.clips])
        network.mean.copy_(shown.mean(0))
        network.spread.copy_(shown.std(0).clamp_min(MIN_SPREAD))
        idle = indices(IDLE_NAMES)
        network.mean[idle] = network.mean[idle].clamp(max=LIDS_AT_MOST)
        network.spread[idle] = 0
        self.driven = torch.ones(len(ARKIT_NAMES))
        self.driven[idle] = 0

    def _statistics(self, example: EmotionalExample) -> Float[Tensor, "some statistics"]:
        """What the emotion encoder sees around some frames of an example."""
        network = self.model.network
        rows = (example.rows - network.feature_mean) / network.feature_std
        return windowed(rows[None])[0, :: REACH_FRAMES // 2]

    def sample(self, generator: torch.Generator) -> EmoTalkBatch:
        """Excerpts of the training clips, and pairs of recordings."""
        return self.sampler.sample(generator)

    def loss_terms(self, step: int, batch: EmoTalkBatch) -> dict[str, Tensor]:
        """Reconstruction in the own, the partner's and a named emotion, and what keeps content and emotion apart."""
        network, pairs = self.model.network, batch.pairs
        voices = self._voices_error(batch.voices)
        if step < self.config.optim.restart_step and batch.voices is not None:
            return {"classification": voices}
        both = batch.clips
        if pairs is not None:
            both = Examples(*(torch.cat(parts) for parts in zip(batch.clips, pairs, strict=True)))
        heard = network.listen(both.rows)
        heard = heard._replace(emotion=_damped(heard.emotion, self.config.reconstruction_share))
        own = self._decoded(heard.content, heard.emotion, both.level, both.person)
        terms = {
            "self": self._error(own, both.expression, both.weight),
            "velocity": self._velocity(own, both.expression, both.weight),
            "curves": self._curves(own, both.expression, both.weight),
            "cross": own.new_zeros(()),
            "asked": own.new_zeros(()),
        }
        if pairs is not None and batch.exchange is not None:
            content, emotion = (part[len(batch.clips.rows) :] for part in heard)
            for name, term in self._exchange_terms(content, emotion, pairs, batch.exchange).items():
                terms[name] = terms[name] + term
        critics = self.model.critics
        spoken = critics.phonemes(heard.content)
        return terms | {
            "classification": voices,
            "reversal": _entropy(critics.sounds(heard.content), both.sound),
            "phonemes": functional.cross_entropy(spoken.flatten(0, 1), both.phonemes.flatten()),
        }

    def _exchange_terms(
        self, content: Tensor, emotion: Tensor, pairs: Examples, exchange: Exchange
    ) -> dict[str, Tensor]:
        """The content of each recording with its partner's emotion, and with one that is asked for by name."""
        partner = torch.arange(len(content)).view(-1, 2).flip(1).flatten()
        swapped = self._decoded(content, emotion[partner], exchange.swapped_level, pairs.person)
        named = (exchange.asked @ self.model.network.asked)[:, None].expand(-1, content.shape[1], -1)
        asked = self._decoded(content, named, exchange.asked_level, pairs.person, told=True)
        wanted = (exchange.swapped, pairs.weight), (exchange.asked_expression, exchange.asked_weight)
        return {
            "cross": self._error(swapped, *wanted[0]),
            "asked": self._error(asked, *wanted[1]),
            "velocity": self._velocity(swapped, *wanted[0]) + self._velocity(asked, *wanted[1]),
        }

    def validate(self) -> dict[str, float]:
        """Metrics on the validation speakers; empty if there are none."""
        self._finish()
        network = self.model.network
        return evaluate_emotalk(network, self.lips, self.validation, self.sampler) if self.validation else {}

    def export(self, run_dir: Path) -> None:
        """Write the model's folder."""
        self._finish()
        network = self.model.network
        described = {"head": self.config.head, "speech": self.config.speech}
        described |= {"num_features": len(network.feature_mean), "network": plain(network.config)}
        write_model(run_dir, network, "talker", "emotalk", described)

    def _voices_error(self, voices: Voices | None) -> Tensor:
        """Cross entropies of emotion and level."""
        network = self.model.network
        if voices is None:
            return network.mean.new_zeros(())
        logits = self.model.teacher(network.feel(voices.rows))
        return _entropy(logits.sounds, voices.sound) + _entropy(logits.levels, voices.strength)

    def _decoded(
        self, content: Tensor, emotion: Tensor, level: Tensor, person: Tensor, *, told: bool = False
    ) -> Float[Tensor, "batch frames 52"]:
        """Motion in units of the spread; the level is sometimes not told."""
        network = self.model.network
        if not told and network.training:
            level = level * (torch.rand(len(level), 1, device=level.device) >= self.config.level_dropout)
        return network.decode(content, emotion, level[:, None].expand(-1, content.shape[1], -1), person)

    def _difference(self, predicted: Tensor, expression: Tensor) -> Float[Tensor, "batch frames 52"]:
        """In coefficients, on the channels that speech drives."""
        network = self.model.network
        return (predicted * network.spread + network.mean - expression) * self.driven.to(predicted)

    def _error(self, predicted: Tensor, expression: Tensor, weight: Tensor) -> Tensor:
        return weighted_mean(self._difference(predicted, expression).square(), weight)

    def _velocity(self, predicted: Tensor, expression: Tensor, weight: Tensor) -> Tensor:
        change = self._difference(predicted, expression).diff(dim=1)
        return weighted_mean(change.square(), torch.minimum(weight[:, 1:], weight[:, :-1]))

    def _curves(self, predicted: Tensor, expression: Tensor, weight: Tensor) -> Tensor:
        network = self.model.network
        shown = predicted * network.spread + network.mean
        curves, true_curves = self.lips.curves(shown), self.lips.curves(expression)
        return decorrelation(curves, true_curves, weight, MIN_GAP_MM)

    def _finish(self) -> None:
        """Fit the classifier of the voice, then set the amplitude: the mouth depends on the levels that are heard."""
        sampler = self.sampler
        voices = [KnownVoice(e.rows, sampler.sound_of(e), sampler.strength_of(e)) for e in sampler.spoken]
        ordinary = sampler.sounds.get(ORDINARY, UNKNOWN)
        voices += [KnownVoice(rows, ordinary, UNKNOWN) for rows in self.sounds]
        fit_emotion_head(self.model.network, voices, self.config.voice_head)
        self._set_amplitude()

    @torch.no_grad()
    def _set_amplitude(self) -> None:
        """Enlarge what moves so that the lips part as far as in the median of some training clips."""
        network = self.model.network
        network.amplitude.fill_(1.0)
        if not self.config.amplitude:
            return
        clips = self.sampler.clips[:: max(1, len(self.sampler.clips) // AMPLITUDE_CLIPS)]
        ratios = []
        for clip in clips:
            moved = voiced(network, clip.rows, self.sampler.person_row(clip.clip.speaker)).expression
            gap, true = (self.lips.curves(rows)[:, 0].std() for rows in (moved, clip.expression))
            ratios.append(true / gap.clamp_min(MIN_GAP_MM))
        parting = torch.tensor([name.startswith(LIP_OPENING_CHANNELS) for name in ARKIT_NAMES])
        network.amplitude[parting] = float(
            (self.config.amplitude * torch.stack(ratios).median()).clamp(1, MAX_AMPLITUDE)
        )


def _damped(rows: Tensor, share: float) -> Tensor:
    """The same rows, which pass on only a share of their gradient."""
    return rows.detach() + share * (rows - rows.detach()) if share else rows.detach()


def _entropy(logits: Float[Tensor, "batch classes"], known: Tensor) -> Tensor:
    """Cross entropy of those whose class is known."""
    if not bool((known != UNKNOWN).any()):
        return logits.new_zeros(())
    return functional.cross_entropy(logits, known, ignore_index=UNKNOWN, label_smoothing=0.1)


def make_task(config: EmoTalkTrainingConfig, data_dir: Path | None) -> EmoTalkTask:
    """Read the clips and recordings, give each recording motion, and build the network."""
    clips = read_clips(data_dir, "emotalk")
    spoken, spoken_held = acted_recordings(config.data)
    assets = load_head_assets(config.head)
    if not assets.shape.is_arkit:
        raise UsageError(f"EmoTalk moves the 52 ARKit channels, which the head {config.head} does not have")
    encoders = own_encoders(config)
    speech = load_speech(config.speech)
    source = SpeechRows(speech if encoders is None else encoders)
    train, validation = split_clips(clips, config.data.dev_speakers)
    kept = [example for clip in train for example in read_clip(clip, source, speech, config)]
    held = [read_clip(clip, source, speech, config)[0] for clip in validation if clip.has_audio]
    recordings: list[EmotionalExample] = []
    if spoken:
        teacher = load_talker(config.data.teacher)
        recordings, judged = (
            [read_recording(clip, source, speech, teacher) for clip in group if felt(clip.label)]
            for group in (spoken, spoken_held)
        )
        held += judged
    _warn_of_labels([*train, *spoken])
    faces = emotional_faces(Shown(e.clip.speaker, e.clip.label, e.expression) for e in kept if e.weight >= 0)
    lips = LipGeometry(assets)
    sounds = {name: index for index, name in enumerate(config.network.sounds)}
    sampler = EmotionalSampler(kept, recordings, faces, sounds, lips.curve_dirs[:, 0], config.data)
    sizes = replace(
        config.network,
        emotions=faces.emotions,
        num_persons=len(sampler.persons),
        own_fronts=encoders is not None,
    )
    rows = [_heard(waveform, source, speech)[:, 1:] for waveform in _sounds(config)]
    return EmoTalkTask(config, EmoTalkNetwork(sizes, source.width, encoders), lips, sampler, held, rows)


def _sounds(config: EmoTalkTrainingConfig) -> Iterator[Float[Tensor, " samples"]]:
    """What the voice's classifier is to take for ordinary, if it has such a class."""
    generator = torch.Generator().manual_seed(config.loop.seed)
    for _ in range(config.voice_head.num_sounds if ORDINARY in config.network.sounds else 0):
        yield synthesize_sound(generator)


def acted_recordings(config: EmoTalkDataConfig) -> tuple[list[Clip], list[Clip]]:
    """Recordings to train on, and those of the speakers that are kept for validation; none where no folder is named."""
    if not config.recordings:
        return [], []
    train, validation = split_by_speaker(read_recordings(Path(config.recordings)), config.dev_speakers)
    if not any(felt(clip.label) for clip in train):
        speakers = "a label that names an emotion" if train else "a speaker beside those of data.dev_speakers"
        raise FacetalkError(f"data.recordings={config.recordings}: no recording has {speakers}")
    return train, validation


def _warn_of_labels(clips: Sequence[Clip]) -> None:
    """Name the labels that say nothing about an emotion."""
    found = {clip.label for clip in clips if clip.label not in ORDINARY_LABELS and felt(clip.label) is None}
    if found:
        some = ", ".join(sorted(found)[:_LISTED]) + (", ..." if len(found) > _LISTED else "")
        _log.warning("no emotion or level is known for the labels %s; they are left out as emotions", some)


def own_encoders(config: EmoTalkTrainingConfig) -> tuple[Wav2VecEncoder, Wav2VecEncoder] | None:
    """Encoders with front ends of their own; None where both share one."""
    if config.content_encoder.name == SHARED:
        return None
    return (
        start_encoder(config.content_encoder, config.network.content, "talk"),
        start_encoder(config.emotion_encoder, config.network.emotion, "laugh"),
    )


def read_clip(
    clip: Clip, source: SpeechRows, speech: SpeechFeatures, config: EmoTalkTrainingConfig
) -> list[EmotionalExample]:
    """A tracked clip at every speed; one without audio only shows a face."""
    if not clip.has_audio:
        shown = read_motion_example(clip, config.data).expression[0]
        none = torch.zeros(0, dtype=torch.int64)
        return [EmotionalExample(clip, torch.zeros(0, source.width), shown, torch.ones(len(shown)), none, None)]
    example = read_example(clip, lambda waveform: _heard(waveform, source, speech), config.data)
    weight = example.weight / len(example.features)
    return [
        EmotionalExample(clip, rows[:, 1:], expression, trusted, rows[:, 0].long(), None, weight)
        for rows, expression, trusted in zip(example.features, example.expression, example.trusted, strict=True)
    ]


def read_recording(clip: Clip, source: SpeechRows, speech: SpeechFeatures, teacher: Talker) -> EmotionalExample:
    """A recording with the teacher's neutral motion."""
    waveform = read_waveform(clip.audio_path)
    rows = _heard(waveform, source, speech)
    motion = teacher.speak(waveform)
    closure = closure_of(motion.events_of("phoneme"), motion.num_frames)
    trusted = torch.ones(motion.num_frames)
    return EmotionalExample(clip, rows[:, 1:], motion.expression, trusted, rows[:, 0].long(), closure)


def _heard(waveform: Tensor, source: SpeechRows, speech: SpeechFeatures) -> Float[Tensor, "frames _"]:
    """The most likely phoneme of each frame, then its row."""
    rows = source.encode(waveform)
    heard = rows if source.fronts is speech else torch.cat(list(feature_blocks(speech, waveform)))
    return torch.cat([heard[:, list(speech.columns(*PHONEMES))].argmax(1, keepdim=True).to(rows), rows], 1)


RECIPE = ConfiguredRecipe(EmoTalkTrainingConfig, make_task)
