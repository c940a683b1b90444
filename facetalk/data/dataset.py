"""Clips as training examples in memory, and batches of short excerpts sampled from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.audio.resample import resample_waveform
from facetalk.core.config import check_ranges
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frame_times, frames_for, resample
from facetalk.data.manifest import Clip
from facetalk.data.patterns import first_match
from facetalk.data.sampling import random_index
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.audio import read_waveform
from facetalk.io.motion import read_motion

MAX_PARTS = 8
"""Largest number of excerpts in one style reference."""

Encode = Callable[[Tensor], Tensor]
"""Waveform -> features, one row per frame."""


@dataclass(frozen=True)
class DataConfig:
    """How clips become examples and batches."""

    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns with * and ?) that are kept for validation."""
    speeds: tuple[float, ...] = (1.0,)
    """Each clip is also used at these speeds, audio and motion together; the pitch changes with the speed."""
    min_confidence: float = 0.5
    """Frames whose fit has a lower confidence are left out of the losses."""
    sync_floor: float = 0.1
    sync_full: float = 0.35
    """The weight of a clip grows from `unsynced_weight` to 1 between these values of its `av_corr`."""
    unsynced_weight: float = 0.2
    min_measured_s: float = 1.5
    """The `av_corr` of a shorter clip is too uncertain and is not used."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Factor on the weight of all clips of a speaker; the first pattern that matches the speaker counts."""
    audio_lags_ms: Mapping[str, float] = field(default_factory=dict)
    """How much later than the video the audio of a speaker comes, milliseconds; reading a clip removes this lag.

    The first pattern that matches the speaker counts.
    """
    fix_sync: bool = True
    """Whether reading a clip also removes the offset that the manifest states (`av_offset_ms`)."""
    length: int = 64
    """Frames of a training example."""
    batch_size: int = 32
    reference_frames: tuple[int, int] = (64, 256)
    """Shortest and longest style reference."""
    own_share: float = 0.5
    """How often the style reference comes from the same clip although there are other clips of its style."""

    def __post_init__(self) -> None:
        if 1.0 not in self.speeds:
            raise ValueError("speeds must contain 1.0")
        if self.length < 12:
            raise ValueError(f"length={self.length} is shorter than one window of 11 frames")
        check_ranges(self, speeds=(0.25, 4), batch_size=(1, 100_000), length=(12, 100_000), own_share=(0, 1))
        check_ranges(self, reference_frames=(1, 100_000), min_confidence=(0, 1), unsynced_weight=(0, 1))
        if not self.sync_floor < self.sync_full or self.reference_frames[0] > self.reference_frames[1]:
            raise ValueError("sync_floor must be below sync_full, and reference_frames rise")
        if any(share < 0 for share in self.shares.values()):
            raise ValueError("shares must not be negative")


@dataclass(frozen=True, eq=False)
class Example:
    """One clip as a training example, at one or more speeds; the original speed comes first."""

    clip: Clip
    features: tuple[Float[Tensor, "_ features"], ...]
    expression: tuple[Float[Tensor, "_ n_expression"], ...]
    trusted: tuple[Float[Tensor, " _"], ...]
    """1 where the fit of a frame is trusted, else 0."""
    weight: float
    """How often the clip is sampled, relative to its length."""

    @property
    def num_frames(self) -> int:
        """Frames at the original speed."""
        return len(self.expression[0])


@dataclass(frozen=True, eq=False)
class Batch:
    """Excerpts of several clips, padded to one length, each with a style reference."""

    features: Float[Tensor, "batch frames features"]
    expression: Float[Tensor, "batch frames n_expression"]
    present: Bool[Tensor, "batch frames"]
    """False where a row is padding."""
    weight: Float[Tensor, "batch frames"]
    """How much each frame counts in the losses."""
    reference: Float[Tensor, "batch reference_frames n_expression"]
    reference_present: Bool[Tensor, "batch reference_frames"]
    style_ids: tuple[str, ...]
    indices: tuple[int, ...]
    """Position of each example in the sampler's list."""


def read_example(clip: Clip, encode: Encode, config: DataConfig) -> Example:
    """Features and motion of one clip at every speed, the original speed first."""
    motion = _read_arkit(clip)
    waveform = read_waveform(clip.audio_path)
    speeds = sorted(config.speeds, key=lambda speed: speed != 1.0)
    lag_s = clip.audio_lag_s(config.audio_lags_ms, config.fix_sync)
    views = [_at_speed(motion, waveform, encode, speed, lag_s, config.min_confidence) for speed in speeds]
    features, expression, trusted = (tuple(parts) for parts in zip(*views, strict=True))
    measured = clip.av_corr if motion.duration_s >= config.min_measured_s else None
    weight = sync_weight(measured, config) * first_match(clip.speaker, config.shares, 1.0)
    return Example(clip, features, expression, trusted, weight)


def read_motion_example(clip: Clip, config: DataConfig) -> Example:
    """The motion of a clip without its audio, which shows a speaking style and nothing about speech."""
    motion = _read_arkit(clip)
    return Example(clip, (), (motion.expression,), (_trusted(motion, config.min_confidence),), 0.0)


def sync_weight(av_corr: float | None, config: DataConfig) -> float:
    """Weight of a clip by how likely its audio belongs to its video; 1 where that was not measured."""
    if av_corr is None:
        return 1.0
    certainty = (av_corr - config.sync_floor) / (config.sync_full - config.sync_floor)
    return config.unsynced_weight + (1 - config.unsynced_weight) * min(1.0, max(0.0, certainty))


class Sampler:
    """Samples batches: clips by length and weight, each with a style reference that does not reveal its motion."""

    def __init__(self, examples: Sequence[Example], config: DataConfig, motion_only: Sequence[Example] = ()) -> None:
        """Sample from `examples`; clips in `motion_only` serve as style references only."""
        if not examples:
            raise FacetalkError("there is no clip to train on; check the dataset and dev_speakers")
        self.examples = list(examples)
        self.members = [*examples, *motion_only]
        self.config = config
        self.styles: dict[str, list[int]] = defaultdict(list)
        for index, example in enumerate(self.members):
            self.styles[example.clip.style].append(index)
        lengths = [min(example.num_frames, 20 * config.length) * example.weight for example in self.examples]
        self.weights = torch.tensor(lengths, dtype=torch.float64)

    def sample(self, generator: torch.Generator) -> Batch:
        """One batch; the same state of the generator gives the same batch."""
        chosen = torch.multinomial(self.weights, self.config.batch_size, replacement=True, generator=generator)
        parts = [self._excerpt(self.examples[int(index)], generator) for index in chosen]
        references = [self.reference(int(index), generator) for index in chosen]
        features, expression, trusted = ([part[i] for part in parts] for i in range(3))
        padded_reference, reference_present = pad(references)
        padded_features, present = pad(features)
        return Batch(
            features=padded_features,
            expression=pad(expression)[0],
            present=present,
            weight=pad(trusted)[0],
            reference=padded_reference,
            reference_present=reference_present,
            style_ids=tuple(self.examples[int(index)].clip.style for index in chosen),
            indices=tuple(chosen.tolist()),
        )

    def _excerpt(self, example: Example, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        view = random_index(len(example.features), generator)
        total = len(example.features[view])
        start = random_index(max(1, total - self.config.length + 1), generator)
        part = slice(start, start + self.config.length)
        return example.features[view][part], example.expression[view][part], example.trusted[view][part]

    def reference(self, index: int, generator: torch.Generator) -> Float[Tensor, "reference_frames n_expression"]:
        """Frames that show the style of an example without revealing its motion over time.

        A talker that could read the motion from the style code would ignore the speech. The reference therefore
        consists of other clips of the style; or, in `own_share` of the cases and where there are no others, of frames
        of the clip itself in random order.
        """
        shortest, longest = self.config.reference_frames
        length = shortest + random_index(longest - shortest + 1, generator)
        others = [other for other in self.styles[self.members[index].clip.style] if other != index]
        own = torch.rand((), generator=generator).item() < self.config.own_share
        if own or not others:
            rows = self.members[index].expression[0]
            return rows[torch.randperm(len(rows), generator=generator)[:length]]
        parts: list[Tensor] = []
        while sum(map(len, parts)) < length and len(parts) < MAX_PARTS:
            rows = self.members[others[random_index(len(others), generator)]].expression[0]
            start = random_index(max(1, len(rows) - length + 1), generator)
            parts.append(rows[start : start + length])
        return torch.cat(parts)[:length]


def pad(rows: Iterable[Tensor]) -> tuple[Tensor, Bool[Tensor, "batch frames"]]:
    """Rows of several lengths as one tensor, padded with zeros, and where it is not padding."""
    rows = list(rows)
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None]


def _at_speed(
    motion: Motion, waveform: Tensor, encode: Encode, speed: float, lag_s: float, min_confidence: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Features, expression and trust of a clip played faster or slower; the motion is delayed by `lag_s`."""
    played = waveform if speed == 1.0 else resample_waveform(waveform, round(SAMPLE_RATE * speed))
    features = encode(played)
    num_frames = min(len(features), frames_for(motion.duration_s / speed))
    times = frame_times(num_frames) * speed - lag_s
    own_times = frame_times(motion.num_frames)
    expression = resample(motion.expression, own_times, times)
    trusted = (resample(_trusted(motion, min_confidence), own_times, times) > 0.99).to(expression)
    return features[:num_frames], expression, trusted


def _read_arkit(clip: Clip) -> Motion:
    motion = read_motion(clip.motion_path).to_fps(FPS)
    if motion.expression_names != ARKIT_NAMES:
        raise FacetalkError(f"{clip.motion_path} is a motion for {motion.head!r}; training needs the 52 ARKit channels")
    return motion


def _trusted(motion: Motion, min_confidence: float) -> Float[Tensor, " frames"]:
    """1 where the fit of a frame is trusted, else 0."""
    if motion.confidence is None:
        return torch.ones(motion.num_frames)
    return (motion.confidence >= min_confidence).float()
