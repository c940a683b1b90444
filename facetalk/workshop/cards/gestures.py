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
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from facetalk.audio.activity import loudness_db
from facetalk.core.timing import FPS
from facetalk.data.behavior import BehaviorExample, read_behaviors, smoothed
from facetalk.data.manifest import read_manifest, split_by_speaker
from facetalk.data.sampling import random_index
from facetalk.head.behavior import STATES, WINDOW
from facetalk.io.audio import read_waveform
from facetalk.metrics.beats import beat_alignment, chance_alignment, movement_beats, speech_beats
from facetalk.metrics.blinks import Blinks, find_blinks
from facetalk.metrics.head_pose import pose_range, pose_spread, spectral_distance_db, speech_correlation
from facetalk.motion.gestures.blinks import lid_closure
from facetalk.motion.gestures.facial import sample_behavior
from facetalk.motion.gestures.idle import sample_idle
from facetalk.networks.critics import MotionPatches, PatchCriticConfig
from facetalk.networks.registry import load
from facetalk.recipes.facial import RECIPE
from facetalk.recipes.registry import read_training_config

SEEDS = 2
"""Classifiers whose accuracies are averaged."""
STEPS, BATCH = 200, 32
TEST_WINDOWS = 4
"""Of each clip."""


@dataclass(frozen=True, eq=False)
class Shown:
    """Behavior that is measured: real or generated."""

    angles: Float[Tensor, "frames 3"]
    """Yaw, pitch and roll around their mean, degrees."""
    closure: Float[Tensor, " frames"]

    @property
    def blinks(self) -> Blinks:
        """Its blinks."""
        return find_blinks(self.closure, FPS)

    def curves(self, lids: bool) -> Float[Tensor, "frames curves"]:
        """What a classifier sees: angles and their speed, and the blinks that are found as pulses.

        The lids themselves would give away the tracker's noise.
        """
        angles = smoothed(self.angles) / 3
        speed = torch.nn.functional.pad(angles.diff(dim=0), (0, 0, 1, 0))
        pulses = torch.zeros(len(angles), int(lids))
        for time, duration in zip(*self.blinks[:2], strict=True):
            first = int((time - duration / 2) * FPS)
            pulses[max(0, first) : first + max(1, round(float(duration) * FPS))] = 1
        return torch.cat([angles, 10 * speed, pulses], 1)


Source = Callable[[int, BehaviorExample], Shown]


def real(index: int, example: BehaviorExample) -> Shown:
    """What the person did."""
    states = example.behavior.states * example.behavior.spread
    return Shown(states[:, STATES["pose"]], states[:, STATES["blink"]][:, 0])


def still(index: int, example: BehaviorExample) -> Shown:
    """Nothing."""
    return Shown(torch.zeros(example.num_frames, 3), torch.zeros(example.num_frames))


def statistical(index: int, example: BehaviorExample) -> Shown:
    """The gesture `idle`."""
    performance = sample_idle(example.num_frames, torch.Generator().manual_seed(index))
    closure = lid_closure(example.num_frames, performance.blinks).mean(1)
    return Shown(performance.angles.rad2deg(), closure)


def learned(weights: str) -> Source:
    """The gesture `facial`."""
    network = load("gestures", weights)

    def source(index: int, example: BehaviorExample) -> Shown:
        performance = sample_behavior(network, example.features, torch.Generator().manual_seed(index))
        closure = lid_closure(example.num_frames, performance.blinks).mean(1)
        return Shown(performance.angles.rad2deg(), closure)

    return source


def copied(examples: Sequence[BehaviorExample]) -> Source:
    """What somebody else did in another clip, repeated if it is shorter."""

    def source(index: int, example: BehaviorExample) -> Shown:
        others = [other for other in examples if other.clip.speaker != example.clip.speaker]
        other = real(0, others[index % len(others)])
        times = -(-example.num_frames // len(other.angles))
        rows = slice(example.num_frames)
        return Shown(other.angles.repeat(times, 1)[rows], other.closure.repeat(times)[rows])

    return source


def measured(shown: Shown, truth: Shown, loudness: Float[Tensor, " frames"]) -> dict[str, float]:
    """Figures of one clip."""
    blinks = shown.blinks
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
    }


def table(examples: Sequence[BehaviorExample], sources: Mapping[str, Source]) -> dict[str, dict[str, float]]:
    """Mean figures of each source."""
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
    for index, example in enumerate(examples):
        loudness = loudness_db(read_waveform(example.clip.audio_path))[: example.num_frames]
        for name, source in sources.items():
            rows[name].append(measured(source(index, example), real(index, example), loudness))
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
    train: Sequence[BehaviorExample], test: Sequence[BehaviorExample], source: Source, lids: bool, seed: int
) -> float:
    """Share of windows of unseen speakers that a classifier takes for what they are, real and generated."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    sets = [[make(i, e).curves(lids) for i, e in enumerate(part)] for part in (train, test) for make in (real, source)]
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
    examples, kept = (read_behaviors(part, config.data.min_confidence) for part in (train, test))
    sources: dict[str, Source] = {
        "real": real, "learned": learned(weights), "statistical": statistical, "copied": copied(kept), "still": still,
    }  # fmt: skip
    figures = {"clips": len(kept), "minutes": sum(e.num_frames for e in kept) / FPS / 60, **table(kept, sources)}
    for name in ("learned", "statistical"):
        for seen, lids in (("head", False), ("head_and_blinks", True)):
            found = [accuracy(examples, kept, sources[name], lids, seed) for seed in range(SEEDS)]
            figures[f"{seen}_told_from_{name}"] = sum(found) / SEEDS
    json.dump(figures, sys.stdout, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
