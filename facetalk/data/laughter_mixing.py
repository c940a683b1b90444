"""Training examples of the laughter detector: recorded and generated laughs mixed into speech."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from facetalk.audio.augment import AugmentConfig
from facetalk.audio.laughter_synthesis import laugh_from_bursts, synthesize_laugh, voiced_bursts
from facetalk.core.config import check_ranges
from facetalk.core.errors import FacetalkError
from facetalk.core.spans import runs
from facetalk.core.timing import FPS, SAMPLE_RATE
from facetalk.data.laughter import LaughterExample
from facetalk.data.patterns import matches_any
from facetalk.data.sampling import random_index, uniform

_FRAME = SAMPLE_RATE / FPS
"""Samples in a video frame."""


@dataclass(frozen=True)
class LaughterDataConfig:
    """Which recordings are used, and how examples are mixed from them."""

    patterns: tuple[str, ...] = ("*",)
    """Paths of the recordings in the pack."""
    times: Mapping[str, Any] = field(default_factory=dict)
    """Start and end in seconds of the laughs in recordings that contain other sounds too, by path."""
    held_out: tuple[str, ...] = ()
    """Speakers (patterns) that are kept for validation."""
    frames: int = 90
    batch_size: int = 32
    pool_batches: int = 200
    """Batches that are mixed before training; in every step only the augmentation of the spectrogram is new."""
    laugh_share: float = 0.55
    """Share of the examples with a laugh."""
    recorded_share: float = 0.5
    """Share of these laughs that are recordings; of the others, half are synthesized and half are cut from speech."""
    sounds: tuple[str, ...] = ()
    """Paths of recordings of other sounds of a voice, such as coughs and screams, with * and ?."""
    sound_share: float = 0.0
    """Share of the examples without a laugh in which one of these sounds is heard instead."""
    num_generated: int = 300
    """Number of laughs of each of the two generated kinds."""
    quiet_share: float = 0.2
    """Share of the examples without speech."""
    over_speech_db: tuple[float, float] = (-3.0, 15.0)
    """Level of a laugh over the speech that continues under it; half of the laughs interrupt the speech instead."""
    speed: float = 0.3
    """Largest change of speed and pitch together, natural log."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        check_ranges(self, frames=(1, 1e5), batch_size=(1, 1e5), pool_batches=(1, 1e5), num_generated=(0, 1e5))
        check_ranges(self, laugh_share=(0, 1), recorded_share=(0, 1), quiet_share=(0, 1), sound_share=(0, 1))
        check_ranges(self, speed=(0, 2))


class LaughterBatch(NamedTuple):
    """Mixtures, and which of their frames are laughter."""

    waveform: Float[Tensor, "batch samples"]
    laughing: Float[Tensor, "batch frames"]
    """1 laughter, 0 none."""
    weight: Float[Tensor, "batch frames"]
    """0 where a laugh starts or ends and the label is ambiguous."""


class LaughterSampler:
    """Mixes laughs into speech."""

    def __init__(self, examples: Sequence[LaughterExample], config: LaughterDataConfig, seed: int) -> None:
        self.config = config
        self.speech = [example.waveform for example in examples if not example.laughs]
        self.sounds = [e.waveform for e in examples if not e.laughs and matches_any(e.path, config.sounds)]
        self.recorded = [laugh for example in examples if example.laughs for laugh in recorded_laughs(example)]
        if not self.speech or not self.recorded:
            raise FacetalkError(
                f"{len(self.recorded)} laughs and {len(self.speech)} recordings without laughter to train on; "
                "both are needed"
            )
        if config.sound_share and not self.sounds:
            raise FacetalkError(f"data.sound_share={config.sound_share:g}, but no recording matches data.sounds")
        generator = torch.Generator().manual_seed(seed)
        self.synthetic = [synthesize_laugh(generator) for _ in range(config.num_generated)]
        self.spliced = [self._splice(generator) for _ in range(config.num_generated)]

    def sample(self, generator: torch.Generator) -> LaughterBatch:
        """One batch of mixtures; the same state of the generator gives the same batch."""
        rows = [self._mixture(generator) for _ in range(self.config.batch_size)]
        return LaughterBatch(*(torch.stack(parts) for parts in zip(*rows, strict=True)))

    def _splice(self, generator: torch.Generator) -> Tensor:
        """A laugh made of vowels cut from speech."""
        for _ in range(50):
            bursts = voiced_bursts(_choose(self.speech, generator).float())
            if len(bursts) >= 3:
                return laugh_from_bursts(bursts, generator)
        raise FacetalkError("the recordings without laughter contain too few vowels to make laughs of")

    def _mixture(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        config = self.config
        samples = round(config.frames * _FRAME)
        audio = 1e-3 * torch.randn(samples, generator=generator)
        has_speech = uniform(0, 1, generator) >= config.quiet_share
        if has_speech:
            speech = self._at_speed(_choose(self.speech, generator).float(), generator)
            audio = audio + _fit_length(speech, samples, generator)
        laughing = torch.zeros(config.frames)
        if uniform(0, 1, generator) < config.laugh_share:
            laugh = self._at_speed(_choose(self._laughs(generator), generator).float(), generator)
            audio, first, size = self._interrupted(audio, laugh, has_speech, generator)
            middles = (torch.arange(config.frames) + 0.5) * _FRAME
            laughing = ((middles >= first) & (middles < first + size)).float()
        elif config.sound_share and uniform(0, 1, generator) < config.sound_share:
            sound = self._at_speed(_choose(self.sounds, generator).float(), generator)
            audio, _, _ = self._interrupted(audio, sound, has_speech, generator)
        edge = functional.max_pool1d(torch.diff(laughing, prepend=laughing[:1]).abs()[None], 5, 1, 2)[0]
        return audio, laughing, 1 - edge

    def _interrupted(
        self, audio: Tensor, sound: Tensor, has_speech: bool, generator: torch.Generator
    ) -> tuple[Tensor, int, int]:
        """The audio with a laugh or another sound mixed in, the first sample of that and its length."""
        if uniform(0, 1, generator) < 0.3:
            sound = torch.cat([sound, 0.8 * sound])
        sound = sound[: len(audio) - 1]
        size = len(sound)
        first = random_index(len(audio) - size, generator)
        under = audio[first : first + size]
        level_db = uniform(*self.config.over_speech_db, generator)
        reference = audio.square().mean().sqrt() if has_speech else torch.tensor(0.1)
        sound = sound / sound.square().mean().sqrt().clamp_min(1e-6) * reference * 10 ** (level_db / 20)
        if uniform(0, 1, generator) < 0.5:
            under = 0.03 * under
        mixed = audio.clone()
        mixed[first : first + size] = under + sound
        return mixed, first, size

    def _laughs(self, generator: torch.Generator) -> Sequence[Tensor]:
        """The laughs of a randomly chosen kind."""
        kind, recorded_share = uniform(0, 1, generator), self.config.recorded_share
        if kind < recorded_share:
            return self.recorded
        return self.synthetic if kind < 1 - (1 - recorded_share) / 2 else self.spliced

    def _at_speed(self, waveform: Tensor, generator: torch.Generator) -> Tensor:
        """The waveform at a random speed; the pitch changes with it."""
        return at_speed(
            waveform, float(torch.exp(torch.tensor(uniform(-self.config.speed, self.config.speed, generator))))
        )


def at_speed(waveform: Float[Tensor, " samples"], speed: float) -> Float[Tensor, " new_samples"]:
    """A recording played faster; its pitch rises along."""
    size = max(2, round(len(waveform) / speed))
    return functional.interpolate(waveform[None, None], size, mode="linear", align_corners=True)[0, 0]


def recorded_laughs(example: LaughterExample) -> list[Tensor]:
    """The laughs of a recording, each from its first to its last laughing frame."""
    pieces = [example.waveform[round(start * _FRAME) : round(stop * _FRAME)] for start, stop in runs(example.laughing)]
    return [piece for piece in pieces if len(piece) > SAMPLE_RATE // 4]


def _fit_length(waveform: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """A random excerpt of a length; a shorter waveform is placed somewhere in silence."""
    if len(waveform) >= samples:
        first = random_index(len(waveform) - samples + 1, generator)
        return waveform[first : first + samples]
    before = random_index(samples - len(waveform) + 1, generator)
    return functional.pad(waveform, (before, samples - len(waveform) - before))


def _choose(items: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    return items[random_index(len(items), generator)]
