"""`python -m facetalk.workshop.cards.gestures CLIPS [WEIGHTS]`: the figures in FACIAL's card, as JSON.

CLIPS is a dataset folder that `facetalk fit` wrote. Figures are means over the clips of the speakers that the
configuration `facial` keeps for validation: real behavior, learned and statistical gestures for the same audio, the
behavior of another clip, and a still head. A classifier is trained on clips of the other speakers to tell real from
generated behavior, and tested on these.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.activity import loudness_db
from facetalk.core.motion import still_motion
from facetalk.core.timing import FPS
from facetalk.data.behavior import BehaviorExample, read_behaviors, smoothed
from facetalk.data.manifest import read_manifest, split_by_speaker
from facetalk.data.sampling import random_index
from facetalk.head.behavior import STATES, WINDOW
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.head.sight import sight_angles
from facetalk.io.audio import read_waveform
from facetalk.io.motion import read_motion
from facetalk.metrics.beats import beat_alignment, chance_alignment, movement_beats, speech_beats
from facetalk.metrics.blinks import Blinks, find_blinks
from facetalk.metrics.glances import find_glances, rested_sight
from facetalk.metrics.head_pose import pose_range, pose_spread, spectral_distance_db, speech_correlation
from facetalk.motion.gestures.blinks import lid_closure
from facetalk.motion.gestures.facial import sample_behavior
from facetalk.motion.gestures.gaze import VIEWER_M, Gaze
from facetalk.motion.gestures.idle import sample_idle
from facetalk.motion.gestures.performance import Performance, perform
from facetalk.motion.heads import load_head
from facetalk.networks.critics import MotionPatches, PatchCriticConfig
from facetalk.networks.registry import load
from facetalk.recipes.facial import RECIPE
from facetalk.recipes.registry import read_training_config

TAKES = 5
"""Of each clip, with seeds of their own, whose figures are averaged."""
SEEDS = 2
"""Classifiers whose accuracies are averaged."""
STEPS, BATCH = 200, 32
TEST_WINDOWS = 4
"""Of each clip."""
SEEN = {"head": (False, False), "head_and_blinks": (True, False), "head_blinks_and_gaze": (True, True)}
"""What a classifier sees: whether blinks and gaze, besides the head."""


@dataclass(frozen=True, eq=False)
class Shown:
    """Behavior that is measured: real or generated."""

    angles: Float[Tensor, "frames 3"]
    """Yaw, pitch and roll around their mean, degrees."""
    closure: Float[Tensor, " frames"]
    gaze: Float[Tensor, "frames 2"]
    """Yaw and pitch of the line of sight relative to the viewer, degrees."""

    @property
    def blinks(self) -> Blinks:
        """Its blinks."""
        return find_blinks(self.closure, FPS)

    def curves(self, lids: bool, eyes: bool) -> Float[Tensor, "frames curves"]:
        """What a classifier sees: angles and their speed, fixations, and the blinks that are found as pulses.

        Lids and line of sight themselves would give away the tracker's noise.
        """
        head = smoothed(self.angles)
        angles = torch.cat([head, rested_sight(self.gaze, FPS)] if eyes else [head], 1) / 3
        speed = torch.nn.functional.pad(angles.diff(dim=0), (0, 0, 1, 0))
        pulses = torch.zeros(len(angles), int(lids))
        for time, duration in zip(*self.blinks[:2], strict=True):
            first = int((time - duration / 2) * FPS)
            pulses[max(0, first) : first + max(1, round(float(duration) * FPS))] = 1
        return torch.cat([angles, 10 * speed, pulses], 1)


class Judged(NamedTuple):
    """A clip and where the person in it looked."""

    example: BehaviorExample
    gaze: Float[Tensor, "frames 2"]


Source = Callable[[int, Judged], Shown]


def judged(example: BehaviorExample, head: HeadModel) -> Judged:
    """Read where somebody looked."""
    motion = read_motion(example.clip.motion_path).to_fps(FPS)
    return Judged(example, sight_angles(head, motion, VIEWER_M)[: example.num_frames])


def real(index: int, clip: Judged) -> Shown:
    """What the person did."""
    states = clip.example.behavior.states * clip.example.behavior.spread
    return Shown(states[:, STATES["pose"]], states[:, STATES["blink"]][:, 0], clip.gaze)


def still(index: int, clip: Judged) -> Shown:
    """Nothing."""
    frames = clip.example.num_frames
    return Shown(torch.zeros(frames, 3), torch.zeros(frames), torch.zeros(frames, 2))


def performed(performance: Performance, head: HeadModel) -> Shown:
    """What a gesture does to a face at rest."""
    frames = len(performance.angles)
    rest = still_motion(head.name, torch.zeros(frames, len(ARKIT_NAMES)), ARKIT_NAMES, FPS, head.num_betas)
    gaze = sight_angles(head, perform(rest, performance, 1.0, 1.0, Gaze()), VIEWER_M)
    return Shown(performance.angles.rad2deg(), lid_closure(frames, performance.blinks).mean(1), gaze)


def statistical(head: HeadModel) -> Source:
    """The gesture `idle`."""

    def source(index: int, clip: Judged) -> Shown:
        return performed(sample_idle(clip.example.num_frames, torch.Generator().manual_seed(index)), head)

    return source


def learned(weights: str, head: HeadModel) -> Source:
    """The gesture `facial`."""
    network = load("gestures", weights)

    def source(index: int, clip: Judged) -> Shown:
        return performed(sample_behavior(network, clip.example.features, torch.Generator().manual_seed(index)), head)

    return source


def copied(clips: Sequence[Judged]) -> Source:
    """What somebody else did in another clip, repeated if it is shorter."""

    def source(index: int, clip: Judged) -> Shown:
        others = [other for other in clips if other.example.clip.speaker != clip.example.clip.speaker]
        other = real(0, others[index % len(others)])
        rows = torch.arange(clip.example.num_frames) % len(other.angles)
        return Shown(other.angles[rows], other.closure[rows], other.gaze[rows])

    return source


def measured(shown: Shown, truth: Shown, loudness: Float[Tensor, " frames"]) -> dict[str, float]:
    """Figures of one clip."""
    blinks, glances = shown.blinks, find_glances(shown.gaze, FPS)
    found, chance = speech_correlation(shown.angles, loudness, FPS)
    speed = shown.angles.diff(dim=0).norm(dim=1) * FPS
    beats, syllables = movement_beats(speed, FPS), speech_beats(loudness, FPS)
    by_chance = chance_alignment(beats, syllables, len(loudness) / FPS) if len(beats) and len(syllables) else torch.nan
    return {
        "spread_deg": float(pose_spread(shown.angles).mean()),
        "range_deg": float(pose_range(shown.angles).mean()),
        "speed_deg_s": float(speed.mean()),
        "spectral_db": spectral_distance_db(shown.angles, truth.angles, FPS),
        "speech_r": found,
        "speech_r_chance": chance,
        "beat": beat_alignment(beats, syllables),
        "beat_chance": by_chance,
        "blinks_per_min": 60 * blinks.rate,
        "blink_s": float(blinks.durations.mean()) if len(blinks.times) else torch.nan,
        "blink_interval_s": float(blinks.intervals.mean()) if len(blinks.times) > 1 else torch.nan,
        "fixation_s": float(glances.fixations.mean()),
        "saccades_per_s": glances.rate,
        "saccade_deg": float(glances.amplitudes.mean()),
        "eye_contact": glances.contact,
    }


def table(clips: Sequence[Judged], sources: Mapping[str, Source]) -> dict[str, dict[str, float]]:
    """Mean figures of each source."""
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
    for index, clip in enumerate(clips):
        loudness = loudness_db(read_waveform(clip.example.clip.audio_path))[: clip.example.num_frames]
        for take, (name, source) in product(range(TAKES), sources.items()):
            shown = source(index + take * len(clips), clip)
            rows[name].append(measured(shown, real(index, clip), loudness))
    return {
        name: {key: float(torch.tensor([row[key] for row in found]).nanmean()) for key in found[0]}
        for name, found in rows.items()
    }


class Detective(nn.Module):
    """Curves -> logit that they are real."""

    def __init__(self, curves: int) -> None:
        super().__init__()
        self.patches = MotionPatches(curves, PatchCriticConfig(widths=(32, 48, 64), dropout=0.3))
        self.score = nn.Linear(64, 1)

    def forward(self, curves: Float[Tensor, "batch frames curves"]) -> Float[Tensor, " batch"]:
        """One logit for each window."""
        return self.score(self.patches(curves - curves.mean(1, keepdim=True)).mean(2))[:, 0]


def accuracy(
    train: Sequence[Judged], test: Sequence[Judged], source: Source, seen: tuple[bool, bool], seed: int
) -> float:
    """Share of windows of unseen speakers that a classifier takes for what they are, real and generated.

    `seen` says whether it sees blinks and gaze, besides the head.
    """
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    sets = [
        [make(i, clip).curves(*seen) for i, clip in enumerate(part)]
        for part in (train, test)
        for make in (real, source)
    ]
    network = Detective(sets[0][0].shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.05)
    for _ in range(STEPS):
        windows = torch.stack([_window(sets[row % 2], rng) for row in range(BATCH)])
        labels = (torch.arange(BATCH) % 2 == 0).float()
        loss = nn.functional.binary_cross_entropy_with_logits(network(windows), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        shares = [_share_real(network, curves, rng) for curves in sets[2:]]
    return (shares[0] + 1 - shares[1]) / 2


def _share_real(network: Detective, curves: Sequence[Tensor], rng: torch.Generator) -> float:
    windows = torch.stack([_window([rows], rng) for rows in curves for _ in range(TEST_WINDOWS)])
    return float((network(windows) > 0).float().mean())


def _window(curves: Sequence[Tensor], rng: torch.Generator) -> Tensor:
    rows = curves[random_index(len(curves), rng)]
    start = random_index(len(rows) - WINDOW + 1, rng)
    return rows[start : start + WINDOW]


def main(clips_dir: str, weights: str = "facial") -> None:
    """Print the figures."""
    config = RECIPE.read_config({k: v for k, v in read_training_config("facial").items() if k != "method"})
    train, test = split_by_speaker(read_manifest(Path(clips_dir)), config.data.dev_speakers)
    if config.data.held_out:
        train, _ = split_by_speaker(train, config.data.held_out)
    head = load_head("facetalk")
    trained, kept = (
        [judged(e, head) for e in read_behaviors(part, config.data.min_confidence)] for part in (train, test)
    )
    sources: dict[str, Source] = {
        "real": real,
        "learned": learned(weights, head),
        "statistical": statistical(head),
        "copied": copied(kept),
        "still": still,
    }
    frames = sum(clip.example.num_frames for clip in kept)
    figures = {"clips": len(kept), "minutes": frames / FPS / 60, **table(kept, sources)}
    for name in ("learned", "statistical"):
        for what, seen in SEEN.items():
            found = [accuracy(trained, kept, sources[name], seen, seed) for seed in range(SEEDS)]
            figures[f"{what}_told_from_{name}"] = sum(found) / SEEDS
    json.dump(figures, sys.stdout, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
