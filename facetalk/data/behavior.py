"""Clips as examples of behavior: how head, lids and brows move while somebody speaks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.delivery import delivery
from facetalk.core.config import check_ranges
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix, yaw_pitch_roll
from facetalk.core.timing import FPS
from facetalk.data.manifest import Clip
from facetalk.data.patterns import first_match
from facetalk.data.sampling import random_index
from facetalk.head.behavior import BLINK_UNIT, PARTS, POSE_NAMES, STATES, WINDOW
from facetalk.head.channels import ARKIT_NAMES, BLINK_NAMES, indices
from facetalk.io.audio import read_waveform
from facetalk.io.motion import read_motion

LEAST_SPREAD = (*[0.7] * len(POSE_NAMES), *[0.03] * len(PARTS))
"""Smaller standard deviations of a clip, degrees and channel weights, are noise of the tracker."""

_SMOOTHED = 7
"""Frames of the Savitzky-Golay filter, of third order, as in the paper's code."""
_BLINK_FRAMES = 12
"""Longest time that the lids take to close and open."""
_OPEN_QUANTILE = 0.2

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BehaviorDataConfig:
    """How clips become examples and batches."""

    dev_speakers: tuple[str, ...] = ()
    """Speakers (patterns with * and ?) that are never trained on."""
    held_out: tuple[str, ...] = ()
    """Other speakers that are kept for validation in place of these, to choose among configurations."""
    only: tuple[str, ...] = ()
    """Speakers that are trained on; all if empty."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Factor on how often clips of a speaker are sampled; the first pattern that matches counts."""
    most_s: float = 30.0
    """Seconds of a clip beyond which it is not sampled more often."""
    min_confidence: float = 0.5
    """Frames whose fit has a lower confidence are left out of the losses."""
    batch_size: int = 16

    def __post_init__(self) -> None:
        check_ranges(self, most_s=(0.1, 1e6), min_confidence=(0, 1), batch_size=(1, 100_000))


class Behavior(NamedTuple):
    """How one face behaves."""

    states: Float[Tensor, "frames states"]
    """Columns as in `STATES`: pose and expression in units of their spread from their mean, closure in `BLINK_UNIT`."""
    spread: Float[Tensor, " states"]
    """Degrees, closure and channel weights that a state of 1 stands for."""

    @property
    def moves(self) -> bool:
        """Whether head or brows move by more than the noise of the tracker."""
        moving = torch.cat([self.spread[STATES["pose"]], self.spread[STATES["expression"]]])
        return bool((moving > moving.new_tensor(LEAST_SPREAD)).any())


@dataclass(frozen=True, eq=False)
class BehaviorExample:
    """One clip."""

    clip: Clip
    features: Float[Tensor, "frames features"]
    behavior: Behavior
    trusted: Float[Tensor, " frames"]

    @property
    def num_frames(self) -> int:
        """Length."""
        return len(self.features)


class BehaviorBatch(NamedTuple):
    """Windows of clips."""

    features: Float[Tensor, "batch frames features"]
    states: Float[Tensor, "batch one_more states"]
    """With the frame before the window."""
    trusted: Float[Tensor, "batch frames"]


def behavior_of(motion: Motion) -> Behavior:
    """Return the states of a tracked motion.

    Args:
        motion: of a video, at 30 fps, with the ARKit channels.
    """
    turned = axis_angle_to_matrix(motion.global_orient) @ axis_angle_to_matrix(motion.neck_pose)
    angles = yaw_pitch_roll(turned).rad2deg()
    names = motion.expression_names
    parts = {name: motion.expression[:, indices(part, names)].mean(1) for name, part in PARTS.items()}
    parts["lids"] = between_blinks(parts["lids"])
    moving = smoothed(torch.cat([angles, torch.stack(list(parts.values()), 1)], 1))
    spread = torch.maximum(moving.std(0), moving.new_tensor(LEAST_SPREAD))
    states = (moving - moving.mean(0)) / spread
    closure = lid_closure_of(motion)[:, None] / BLINK_UNIT
    cut = len(POSE_NAMES)
    unit = spread.new_tensor([BLINK_UNIT])
    return Behavior(
        torch.cat([states[:, :cut], closure, states[:, cut:]], 1), torch.cat([spread[:cut], unit, spread[cut:]])
    )


def lid_closure_of(motion: Motion) -> Float[Tensor, " frames"]:
    """How far the lids are closed, 0 to 1, relative to how open they usually are."""
    lids = motion.expression[:, indices(BLINK_NAMES, motion.expression_names)].mean(1)
    usual = torch.quantile(lids, _OPEN_QUANTILE)
    return ((lids - usual) / (1 - usual).clamp_min(0.2)).clamp(0, 1)


def between_blinks(lids: Float[Tensor, " frames"]) -> Float[Tensor, " frames"]:
    """The slow movement of the lids: a weighted mean of medians over times in which they are mostly open."""
    size = 2 * _BLINK_FRAMES + 1
    pad = (_BLINK_FRAMES, _BLINK_FRAMES)
    padded = torch.nn.functional.pad(lids[None, None], pad, mode="replicate")[0, 0]
    medians = torch.nn.functional.pad(padded.unfold(0, size, 1).median(1).values[None, None], pad, mode="replicate")
    weights = torch.hann_window(size + 2, periodic=False)[1:-1]
    return torch.nn.functional.conv1d(medians, (weights / weights.sum())[None, None])[0, 0]


def smoothed(rows: Float[Tensor, "frames width"]) -> Float[Tensor, "frames width"]:
    """Rows after a Savitzky-Golay filter of seven frames and third order."""
    if len(rows) < _SMOOTHED:
        return rows
    reach = _SMOOTHED // 2
    kernel = rows.new_tensor([-2.0, 3.0, 6.0, 7.0, 6.0, 3.0, -2.0]) / 21
    padded = torch.nn.functional.pad(rows.T[:, None], (reach, reach), mode="replicate")
    return torch.nn.functional.conv1d(padded, kernel[None, None])[:, 0].T


def read_behavior(clip: Clip, min_confidence: float) -> BehaviorExample | None:
    """One clip as an example; None if it is shorter than a window."""
    motion = read_motion(clip.motion_path).to_fps(FPS)
    if motion.expression_names != ARKIT_NAMES:
        raise FacetalkError(f"{clip.motion_path} is a motion for {motion.head!r}; training needs the 52 ARKit channels")
    if motion.num_frames <= WINDOW:
        return None
    features = delivery(read_waveform(clip.audio_path))
    frames = min(len(features), motion.num_frames)
    if frames <= WINDOW:
        return None
    states, spread = behavior_of(motion)
    sure = motion.confidence
    trusted = torch.ones(frames) if sure is None else (sure[:frames] >= min_confidence).float()
    return BehaviorExample(clip, features[:frames], Behavior(states[:frames], spread), trusted)


def read_behaviors(clips: Sequence[Clip], min_confidence: float) -> list[BehaviorExample]:
    """The clips that have audio and are longer than a window."""
    found = [read_behavior(clip, min_confidence) for clip in clips if clip.has_audio]
    examples = [example for example in found if example is not None]
    if not examples:
        raise FacetalkError(
            f"none of the {len(clips)} clips has audio and is longer than a window of {WINDOW / FPS:.1f} s"
        )
    if not any(example.behavior.moves for example in examples):
        raise FacetalkError(
            f"no head or brow moves in the {len(examples)} clips; a still image has no behavior to learn"
        )
    _log.info("%d of %d clips, %.0f s", len(examples), len(clips), sum(e.num_frames for e in examples) / FPS)
    return examples


class BehaviorSampler:
    """Samples windows: clips by their length."""

    def __init__(self, examples: Sequence[BehaviorExample], config: BehaviorDataConfig) -> None:
        self.examples, self.config = list(examples), config
        most = config.most_s * FPS
        weights = [min(e.num_frames, most) * first_match(e.clip.speaker, config.shares, 1.0) for e in self.examples]
        self.weights = torch.tensor(weights, dtype=torch.float64)

    def sample(self, generator: torch.Generator) -> BehaviorBatch:
        """One batch; the same state of the generator gives the same batch."""
        chosen = torch.multinomial(self.weights, self.config.batch_size, replacement=True, generator=generator)
        parts = [window_of(self.examples[int(index)], generator) for index in chosen]
        return BehaviorBatch(*(torch.stack(rows) for rows in zip(*parts, strict=True)))


def window_of(example: BehaviorExample, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Features, states with the frame before, and trust of a window somewhere in a clip."""
    start = 1 + random_index(example.num_frames - WINDOW, generator)
    part = slice(start, start + WINDOW)
    return example.features[part], example.behavior.states[start - 1 : start + WINDOW], example.trusted[part]
