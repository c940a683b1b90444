"""Examples of both stages of LaughTalk: speech that is neutral, and speech with laughter in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.config import check_ranges
from facetalk.core.errors import FacetalkError
from facetalk.core.spans import Span
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.data.patterns import first_match
from facetalk.data.sampling import random_index, uniform, weighted_index
from facetalk.data.voiced import VoicedExample
from facetalk.talkers.laughs import laugh_envelope


@dataclass(frozen=True)
class LaughTalkDataConfig:
    """How clips become batches."""

    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns with * and ?) that are kept for validation."""
    audio_lags_ms: Mapping[str, float] = field(default_factory=dict)
    """How much later than the video the audio of a speaker comes; see `facetalk.data.dataset.DataConfig`."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Factor on how often the clips of a speaker are used."""
    laughing: tuple[str, ...] = ("laughing",)
    """Labels of clips that laugh."""
    smiling_share: float = 0.2
    """This share of the other clips, those that smile most, is left out of the neutral set."""
    recordings: str = ""
    """A speech folder (`facetalk.data.speech`) whose recordings with the label `laughter` are paired with motion."""
    speeds: tuple[float, ...] = (0.8, 0.9, 1.0, 1.12, 1.25)
    """Each recording is paired at these speeds, pitch included; else synthesized laughs outnumber them."""
    num_synthesized: int = 60
    """Synthesized laughs that are paired too."""
    min_similarity: float = 0.4
    """Pairings whose mouth opens less like the loudness than this correlation are left out."""
    length: int = 105
    """Frames of an example: 3.5 s."""
    batch_size: int = 16
    laugh_shares: tuple[float, float, float] = (0.25, 0.5, 0.25)
    """Of the examples of stage 2: real laughter, paired laughter amid speech, speech alone."""
    level_db: tuple[float, float] = (-6.0, 9.0)
    """Level of a paired laugh over the speech that it interrupts."""
    growth: tuple[float, float] = (0.75, 1.25)
    """Factor on the motion of the softest and of the loudest of these laughs."""

    def __post_init__(self) -> None:
        check_ranges(self, length=(12, 100_000), batch_size=(1, 100_000), smiling_share=(0, 1), laugh_shares=(0, 1))
        check_ranges(self, speeds=(0.25, 4))
        check_ranges(self, min_similarity=(-1, 1), level_db=(-60, 60), growth=(0, 4), num_synthesized=(0, 100_000))


class VoicedBatch(NamedTuple):
    """Excerpts of equal length."""

    waveform: Float[Tensor, "batch samples"]
    rows: Float[Tensor, "batch frames controls"]
    """The true motion."""
    shown: Float[Tensor, "batch frames"]
    """How much of it is the target of stage 2, 0 to 1; the rest is what stage 1 says."""
    weight: Float[Tensor, "batch frames"]
    """1 where the motion is trusted."""


class Laugh(NamedTuple):
    """Laughter with its motion: a recording that was paired."""

    waveform: Float[Tensor, " samples"]
    rows: Float[Tensor, "frames controls"]


class LaughTalkBatch(NamedTuple):
    """What either stage is trained on."""

    talking: VoicedBatch
    laughing: VoicedBatch


class LaughTalkSampler:
    """Samples excerpts of clips, and puts laughs into them."""

    def __init__(
        self,
        talking: Sequence[VoicedExample],
        laughing: Sequence[VoicedExample],
        laughs: Sequence[Laugh],
        config: LaughTalkDataConfig,
    ) -> None:
        if not talking:
            raise FacetalkError("there is no clip of neutral speech to train on; check the dataset and dev_speakers")
        if not laughing and not laughs:
            raise FacetalkError(
                "there is no laughter to train on: no clip with a label of data.laughing, and no recording in "
                "data.recordings; label clips with facetalk fit --about or --curate, or give a speech folder"
            )
        self.talking, self.laughing, self.laughs, self.config = talking, laughing, laughs, config
        self.weights = [
            min(example.num_frames, 20 * config.length) * first_match(example.clip.speaker, config.shares, 1.0)
            for example in talking
        ]
        present = (bool(laughing), bool(laughs), True)
        self.kinds = [share * there for share, there in zip(config.laugh_shares, present, strict=True)]

    def sample(self, generator: torch.Generator) -> LaughTalkBatch:
        """One batch for each stage; the same state of the generator gives the same batches."""
        size = self.config.batch_size
        talking = [self._talking(generator) for _ in range(size)]
        laughing = [self._with_laughter(weighted_index(self.kinds, generator), generator) for _ in range(size)]
        return LaughTalkBatch(_stacked(talking), _stacked(laughing))

    def _talking(self, generator: torch.Generator) -> VoicedBatch:
        return self._excerpt(self.talking[weighted_index(self.weights, generator)], 0.0, generator)

    def _with_laughter(self, kind: int, generator: torch.Generator) -> VoicedBatch:
        if kind == 0:
            return self._excerpt(self.laughing[random_index(len(self.laughing), generator)], 1.0, generator)
        speech = self._talking(generator)
        return speech if kind == 2 else self._interrupted(speech, generator)

    def _excerpt(self, example: VoicedExample, shown: float, generator: torch.Generator) -> VoicedBatch:
        length = self.config.length
        start = random_index(max(1, example.num_frames - length + 1), generator)
        rows, weight = example.rows[start : start + length], example.trusted[start : start + length]
        missing = length - len(rows)
        rows = torch.cat([rows, rows[-1:].expand(missing, -1)])
        weight = torch.nn.functional.pad(weight, (0, missing))
        return VoicedBatch(example.samples(start, length), rows, torch.full((length,), shown), weight)

    def _interrupted(self, speech: VoicedBatch, generator: torch.Generator) -> VoicedBatch:
        """Speech that a laugh interrupts."""
        laugh, length = self.laughs[random_index(len(self.laughs), generator)], self.config.length
        frames = min(len(laugh.rows), length - 1)
        first = random_index(length - frames, generator)
        place = slice(round(first / FPS * SAMPLE_RATE), round((first + frames) / FPS * SAMPLE_RATE))
        waveform = speech.waveform.clone()
        audio = laugh.waveform[: place.stop - place.start].float()
        audio = torch.nn.functional.pad(audio, (0, place.stop - place.start - len(audio)))
        strength = uniform(0, 1, generator)
        level_db, growth = (low + strength * (high - low) for low, high in (self.config.level_db, self.config.growth))
        level = 10 ** (level_db / 20) * waveform.square().mean().sqrt().clamp_min(1e-3)
        waveform[place] = 0.03 * waveform[place] + audio * level / audio.square().mean().sqrt().clamp_min(1e-6)
        inside = growth * laugh.rows[:frames]
        before, after = inside[:1].expand(first, -1), inside[-1:].expand(length - first - frames, -1)
        shown = laugh_envelope([Span(first, first + frames)], length)
        return VoicedBatch(waveform, torch.cat([before, inside, after]), shown, torch.ones(length))


def _stacked(rows: Sequence[VoicedBatch]) -> VoicedBatch:
    return VoicedBatch(*(torch.stack(parts) for parts in zip(*rows, strict=True)))
