"""Batches of speech excerpts with phonemes, mouth curves and a teacher's features."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from facetalk.audio.augment import AugmentConfig
from facetalk.audio.spectrogram import ROW_RATE, num_rows
from facetalk.core.errors import FacetalkError
from facetalk.core.timing import FPS, SAMPLE_RATE, frame_times, resample
from facetalk.data.sampling import weighted_index
from facetalk.data.speech import LABEL_RATE, MOUTH_RATE, SpeechExample, teachers_at


@dataclass(frozen=True)
class SpeechGroup:
    """Recordings that are sampled alike."""

    pattern: str = "*"
    """Names of the clips, with * and ?; a clip belongs to the first group that matches."""
    share: float = 1.0
    """Share of the sampled examples, relative to the other groups."""
    frames: int = 72
    """Length of an excerpt; all examples of a batch have the same length."""
    audio_lag_s: float = 0.0
    """How much later than the video the audio comes."""


@dataclass(frozen=True)
class SpeechDataConfig:
    """Which examples are sampled, and how they are augmented."""

    groups: tuple[SpeechGroup, ...] = (SpeechGroup(),)
    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns) that are kept for validation."""
    batch_frames: int = 1440
    """Frames in a batch over all its examples."""
    speed: float = 0.16
    """Largest change of speed and pitch together, natural log."""
    teachers: tuple[str, ...] = ("moonshine",)
    """Networks whose features are predicted, side by side in this order; see `facetalk.data.speech.TEACHERS`."""
    fix_sync: bool = True
    """Whether the mouth is also moved by the offset that the manifest states (`av_offset_ms`)."""
    synced: float = 0.3
    """The mouth of a clip with a lower `av_corr` has the weight `unsynced_weight`."""
    unsynced_weight: float = 0.25
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def group_of(self, name: str) -> SpeechGroup | None:
        """The first group whose pattern matches the name of a clip."""
        return next((group for group in self.groups if fnmatchcase(name, group.pattern)), None)


class SpeechBatch(NamedTuple):
    """Excerpts of recordings."""

    waveform: Float[Tensor, "batch samples"]
    level: Float[Tensor, "batch rows"]
    """Level that each row of the spectrogram is measured against, natural log of mel power."""
    labels: Int64[Tensor, "batch frames"]
    """Phoneme ids."""
    articulation: Float[Tensor, "batch frames articulators"]
    trust: Float[Tensor, "batch frames"]
    """Weight of phonemes and articulation; 0 behind the end of a recording."""
    mouth: Float[Tensor, "batch frames curves"]
    mouth_known: Float[Tensor, "batch frames"]
    """1 where the mouth was measured."""
    mouth_weight: Float[Tensor, " batch"]
    """How much the mouth of an example counts."""
    teacher: Float[Tensor, "batch frames components"]
    teacher_known: Float[Tensor, "batch frames"]
    """1 where the teacher's features are known."""


class SpeechSampler:
    """Samples batches from groups of recordings."""

    def __init__(
        self,
        examples: Sequence[SpeechExample],
        config: SpeechDataConfig,
        num_components: int,
        levels_of: Callable[[Float[Tensor, " samples"]], Float[Tensor, " levels"]] | None = None,
    ) -> None:
        """Group the examples.

        Args:
            examples: the recordings.
            config: the groups.
            num_components: how many components of the teachers' features the encoder predicts.
            levels_of: measures the level of each row of a recording's spectrogram, or one for all; encoders that do not
                need it get zeros.
        """
        self.config = config
        self.members: dict[SpeechGroup, list[SpeechExample]] = defaultdict(list)
        levels_of = levels_of or (lambda waveform: waveform.new_zeros(1))
        self.levels = {id(example): levels_of(example.waveform.float()) for example in examples}
        for example in examples:
            group = config.group_of(example.clip.name)
            if group is not None:
                self.members[group].append(example)
        if not self.members:
            raise FacetalkError("no recording belongs to a group of data.groups; check their patterns")
        self.lengths = sorted({group.frames for group in self.members})
        self.num_components = num_components
        every = [[e.teachers[name].shape[1] for name in config.teachers if name in e.teachers] for e in examples]
        found = {sum(widths) for widths in every if len(widths) == len(config.teachers)}
        if config.teachers and found - {num_components}:
            raise FacetalkError(
                f"the features of {' and '.join(config.teachers)} have {sorted(found)} components, the encoder "
                f"predicts {num_components}; set encoder.hidden, or run facetalk.workshop.speech.teachers again"
            )

    def sample(self, generator: torch.Generator) -> SpeechBatch:
        """One batch of excerpts of one length; the same state of the generator gives the same batch."""
        shares = [sum(g.share for g in self.members if g.frames == frames) for frames in self.lengths]
        frames = self.lengths[weighted_index(shares, generator)]
        groups = [group for group in self.members if group.frames == frames]
        rows = []
        for _ in range(max(2, self.config.batch_frames // frames)):
            group = groups[weighted_index([g.share for g in groups], generator)]
            members = self.members[group]
            example = members[weighted_index([e.duration_s for e in members], generator)]
            rows.append(self._excerpt(example, group, generator))
        return SpeechBatch(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    def _excerpt(self, example: SpeechExample, group: SpeechGroup, generator: torch.Generator) -> SpeechBatch:
        speed = float(torch.exp(self.config.speed * (2 * torch.rand((), generator=generator) - 1)))
        samples = round(group.frames / FPS * SAMPLE_RATE)
        spare = max(0.0, example.duration_s - samples / SAMPLE_RATE * speed)
        start_s = spare * float(torch.rand((), generator=generator))
        waveform = _samples_at(example.waveform, (start_s * SAMPLE_RATE + torch.arange(samples) * speed).double())
        starts = start_s + frame_times(group.frames) * speed
        middles = starts + 0.5 / FPS * speed
        inside = (middles < example.duration_s).float()
        moments = (middles * LABEL_RATE).long().clamp(max=len(example.labels) - 1)
        lag_s = example.clip.audio_lag_s({"*": 1000 * group.audio_lag_s}, self.config.fix_sync)
        mouth, mouth_known = mouth_at(example, starts - lag_s)
        teacher, teacher_known = self._teacher(example, middles)
        av_corr = example.clip.av_corr
        synced = av_corr is None or av_corr >= self.config.synced
        return SpeechBatch(
            waveform=waveform,
            level=self._level(example, start_s, speed, num_rows(samples)),
            labels=example.labels[moments],
            articulation=example.articulation[moments],
            trust=inside * example.trust,
            mouth=mouth,
            mouth_known=mouth_known,
            mouth_weight=torch.tensor(1.0 if synced else self.config.unsynced_weight),
            teacher=teacher,
            teacher_known=teacher_known * inside,
        )

    def _level(self, example: SpeechExample, start_s: float, speed: float, count: int) -> Tensor:
        """The level of each row of an excerpt's spectrogram."""
        levels = self.levels[id(example)]
        rows = ((start_s * ROW_RATE) + torch.arange(count) * speed).long()
        return levels[rows.clamp(max=len(levels) - 1)]

    def _teacher(self, example: SpeechExample, times: Tensor) -> tuple[Tensor, Tensor]:
        rows = teachers_at(example, self.config.teachers, times.float()) if self.config.teachers else None
        if rows is None:
            return times.new_zeros(len(times), self.num_components, dtype=torch.float32), torch.zeros(len(times))
        return rows, torch.ones(len(times))


def mouth_at(
    example: SpeechExample, times: Float[Tensor, " frames"]
) -> tuple[Float[Tensor, "frames curves"], Float[Tensor, " frames"]]:
    """Mouth curves of a recording at times in seconds, and 1 where they are known."""
    rows = example.mouth
    if len(rows) < 2:
        return rows.new_zeros(len(times), rows.shape[1]), rows.new_zeros(len(times))
    known = (times >= 0) & (times <= (len(rows) - 1) / MOUTH_RATE)
    return resample(rows, frame_times(len(rows), MOUTH_RATE), times), known.float()


def _samples_at(waveform: Tensor, places: Tensor) -> Tensor:
    """Samples at fractional places, linear in between, zero behind the end."""
    waveform = functional.pad(waveform.float(), (0, 2))
    places = places.clamp(max=len(waveform) - 2)
    low = places.long()
    return torch.lerp(waveform[low], waveform[low + 1], (places - low).float())
