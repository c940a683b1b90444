"""Clips -> examples in memory, and batches of short stretches drawn from them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.audio.resample import resample_waveform
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.timing import FPS, SAMPLE_RATE, frame_times, frames_for, resample
from facetalk.data.manifest import Clip
from facetalk.head.channels import ARKIT_NAMES
from facetalk.io.audio import read_waveform
from facetalk.io.motion import read_motion

MAX_PARTS = 8
"""Most clips that make up one style reference."""

Encode = Callable[[Tensor], Tensor]
"""Waveform -> features, one row per frame."""


@dataclass(frozen=True)
class DataConfig:
    """How clips become examples."""

    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns with * and ?) that are kept for judging."""
    speeds: tuple[float, ...] = (1.0,)
    """Each clip is also heard and seen at these speeds; the pitch goes along."""
    min_confidence: float = 0.5
    """Frames whose fit is trusted less are left out of the losses."""
    sync_floor: float = 0.1
    sync_full: float = 0.35
    """A clip's weight grows from `unsynced_weight` to 1 between these values of its `av_corr`."""
    unsynced_weight: float = 0.2
    shortest_measured_s: float = 1.5
    """The `av_corr` of a shorter clip means little and is not used."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Factor on the weight of all clips of a speaker (a pattern)."""
    lags_ms: Mapping[str, float] = field(default_factory=dict)
    """How long the sound of a speaker's clips (a pattern) comes after the picture, milliseconds; taken back here.

    The first pattern that fits counts.
    """
    length: int = 64
    """Frames of a training example."""
    batch_size: int = 32
    reference_frames: tuple[int, int] = (64, 256)
    """Shortest and longest style reference."""
    own_share: float = 0.5
    """How often the reference is made of the clip's own frames although there are others of its style."""

    def __post_init__(self) -> None:
        if 1.0 not in self.speeds:
            raise ValueError("speeds must contain 1.0")
        if self.length < 12:
            raise ValueError(f"length={self.length} is shorter than one window of 11 frames")


@dataclass(frozen=True, eq=False)
class Example:
    """One clip, ready to learn from; a list entry per speed."""

    clip: Clip
    features: tuple[Float[Tensor, "_ features"], ...]
    expression: tuple[Float[Tensor, "_ n_expression"], ...]
    trusted: tuple[Float[Tensor, " _"], ...]
    """1 where the frame's fit is trusted, else 0."""
    weight: float
    """How often it is drawn, for its length."""

    @property
    def num_frames(self) -> int:
        """Frames at the recording's own speed."""
        return len(self.expression[0])


@dataclass(frozen=True, eq=False)
class Batch:
    """Stretches of several clips, padded to one length, and a style reference for each."""

    features: Float[Tensor, "batch frames features"]
    expression: Float[Tensor, "batch frames n_expression"]
    present: Bool[Tensor, "batch frames"]
    weight: Float[Tensor, "batch frames"]
    reference: Float[Tensor, "batch reference_frames n_expression"]
    reference_present: Bool[Tensor, "batch reference_frames"]
    style_ids: tuple[str, ...]
    indices: tuple[int, ...]
    """Of the examples in the sampler's list."""


def read_example(clip: Clip, encode: Encode, config: DataConfig) -> Example:
    """One clip's features and motion at every speed; the first entry is the recording's own speed."""
    motion = _read_arkit(clip)
    waveform = read_waveform(clip.audio_path)
    speeds = sorted(config.speeds, key=lambda speed: speed != 1.0)
    lag_s = setting_for(clip.speaker, config.lags_ms, 0.0) / 1000
    views = [_at_speed(motion, waveform, encode, speed, lag_s, config.min_confidence) for speed in speeds]
    features, expression, trusted = (tuple(parts) for parts in zip(*views, strict=True))
    measured = clip.av_corr if motion.duration_s >= config.shortest_measured_s else None
    weight = sync_weight(measured, config) * setting_for(clip.speaker, config.shares, 1.0)
    return Example(clip, features, expression, trusted, weight)


def read_mute_example(clip: Clip, config: DataConfig) -> Example:
    """A clip without sound: nobody can learn to speak from it, but it shows a manner."""
    motion = _read_arkit(clip)
    return Example(clip, (), (motion.expression,), (_trusted(motion, config.min_confidence),), 0.0)


def setting_for(speaker: str, settings: Mapping[str, float], default: float) -> float:
    """The value of the first pattern that a speaker matches."""
    return next((value for pattern, value in settings.items() if fnmatchcase(speaker, pattern)), default)


def sync_weight(av_corr: float | None, config: DataConfig) -> float:
    """How much a clip counts by how surely its sound belongs to its picture; 1 where that was not measured."""
    if av_corr is None:
        return 1.0
    surely = (av_corr - config.sync_floor) / (config.sync_full - config.sync_floor)
    return config.unsynced_weight + (1 - config.unsynced_weight) * min(1.0, max(0.0, surely))


class Sampler:
    """Draws batches: clips by their length and weight, each with a style reference that does not give it away."""

    def __init__(self, examples: Sequence[Example], config: DataConfig, mute: Sequence[Example] = ()) -> None:
        """Draw from `examples`; `mute` clips only serve as references."""
        if not examples:
            raise FacetalkError("there is no clip to learn from; check the dataset and dev_speakers")
        self.examples = list(examples)
        self.members = [*examples, *mute]
        self.config = config
        self.styles: dict[str, list[int]] = defaultdict(list)
        for index, example in enumerate(self.members):
            self.styles[example.clip.style].append(index)
        lengths = [min(example.num_frames, 20 * config.length) * example.weight for example in self.examples]
        self.chances = torch.tensor(lengths, dtype=torch.float64)

    def draw(self, chance: torch.Generator) -> Batch:
        """One batch; the same generator state gives the same batch."""
        chosen = torch.multinomial(self.chances, self.config.batch_size, replacement=True, generator=chance)
        parts = [self._stretch(self.examples[int(index)], chance) for index in chosen]
        references = [self.reference(int(index), chance) for index in chosen]
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

    def _stretch(self, example: Example, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        view = _below(len(example.features), chance)
        total = len(example.features[view])
        start = _below(max(1, total - self.config.length + 1), chance)
        part = slice(start, start + self.config.length)
        return example.features[view][part], example.expression[view][part], example.trusted[view][part]

    def reference(self, index: int, chance: torch.Generator) -> Tensor:
        """Rows that show the style of a clip but not when the clip does what.

        Otherwise the talker would learn to read the motion off the style code. So they are other clips of the style,
        one after the other; or, for `own_share` of the draws and where there are no others, the clip itself with its
        frames shuffled.
        """
        shortest, longest = self.config.reference_frames
        length = shortest + _below(longest - shortest + 1, chance)
        others = [other for other in self.styles[self.members[index].clip.style] if other != index]
        own = torch.rand((), generator=chance).item() < self.config.own_share
        if own or not others:
            rows = self.members[index].expression[0]
            return rows[torch.randperm(len(rows), generator=chance)[:length]]
        parts: list[Tensor] = []
        while sum(map(len, parts)) < length and len(parts) < MAX_PARTS:
            rows = self.members[others[_below(len(others), chance)]].expression[0]
            start = _below(max(1, len(rows) - length + 1), chance)
            parts.append(rows[start : start + length])
        return torch.cat(parts)[:length]


def pad(rows: Iterable[Tensor]) -> tuple[Tensor, Bool[Tensor, "batch frames"]]:
    """Rows of several lengths as one tensor with zeros behind, and where the rows are."""
    rows = list(rows)
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None]


def _at_speed(
    motion: Motion, waveform: Tensor, encode: Encode, speed: float, lag_s: float, min_confidence: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Features, expression and trust of a clip played faster or slower; the motion is delayed by `lag_s`."""
    heard = waveform if speed == 1.0 else resample_waveform(waveform, round(SAMPLE_RATE * speed))
    features = encode(heard)
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


def _below(limit: int, chance: torch.Generator) -> int:
    return int(torch.randint(limit, (), generator=chance))
