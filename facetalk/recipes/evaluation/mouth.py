"""What a talker is worth on speakers that it never saw, beside a still face and beside the wrong sound."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from facetalk.audio.phonemes import PHONEMES
from facetalk.data.dataset import Example
from facetalk.losses.geometry import LipGeometry
from facetalk.talkers.styletalk import StyleTalk

MIN_SYNC = 0.3
"""Clips whose `av_corr` is below this prove nothing about lips: sound and picture may not belong together."""

MIN_FRAMES = 45
"""Correlations over less than 1.5 s say little."""

CURVES = ("open", "wide")

CLOSED_MM = 1.0
"""Lips whose gap is at most this much wider than at rest are shut."""

EARLY_FRAMES = 1
"""A closure may come this much before or after the sound that asks for it."""

BILABIALS = [PHONEMES.index(symbol) for symbol in ("B", "M", "P")]


def judge_talker(talker: StyleTalk, examples: list[Example], geometry: LipGeometry) -> dict[str, float]:
    """Mean figures over clips, in the talker's neutral style: a clip's own style could give its motion away.

    `r_*` is the correlation of predicted and tracked lip gap and mouth width over time, `gain_*` the ratio of their
    standard deviations, `lip_mm` the mean distance of mouth landmarks with each clip's mean shape taken out, `jitter`
    the ratio of mean second differences of these landmarks. `shuffled_*` are the same with the sound of another clip,
    `still_lip_mm` the distance of a mouth that never moves. All are agreement with our own tracker.
    """
    long = [example for example in examples if example.num_frames >= MIN_FRAMES]
    synced = [example for example in long if example.clip.av_corr is None or example.clip.av_corr >= MIN_SYNC]
    figures: dict[str, list[float]] = defaultdict(list)
    for index, example in enumerate(synced):
        wrong = synced[(index + max(1, len(synced) // 2)) % len(synced)]
        for prefix, features in (("", example.features[0]), ("shuffled_", _repeat(wrong, example.num_frames))):
            predicted = talker.decode(features, talker.neutral_style)
            for name, value in compare(predicted, example.expression[0], geometry).items():
                figures[prefix + name].append(value)
    return {name: sum(values) / len(values) for name, values in figures.items()}


def compare(
    predicted: Float[Tensor, "frames n_expression"],
    true: Float[Tensor, "frames n_expression"],
    geometry: LipGeometry,
) -> dict[str, float]:
    """Figures of one clip, see `judge_talker`."""
    mine, theirs = geometry.curves(predicted), geometry.curves(true)
    figures = {}
    for column, name in enumerate(CURVES):
        pair = torch.stack([mine[:, column], theirs[:, column]])
        spread = pair.std(1).clamp_min(1e-6)
        centred = pair - pair.mean(1, keepdim=True)
        figures[f"r_{name}"] = float(centred.prod(0).sum() / (len(mine) - 1) / spread.prod())
        figures[f"gain_{name}"] = float(spread[0] / spread[1])
    lips, true_lips = (geometry.lips(motion).unflatten(1, (-1, 3)) for motion in (predicted, true))
    moved, truly = lips - lips.mean(0), true_lips - true_lips.mean(0)
    return figures | {
        "lip_mm": float((moved - truly).norm(dim=-1).mean()),
        "still_lip_mm": float(truly.norm(dim=-1).mean()),
        "jitter": float(shaking(lips) / shaking(true_lips).clamp_min(1e-6)),
    }


def shaking(points: Float[Tensor, "frames points 3"]) -> Float[Tensor, ""]:
    """Mean length of the second difference over time."""
    return points.diff(n=2, dim=0).norm(dim=-1).mean()


def count_closures(
    labels: Tensor,
    gap: Float[Tensor, " frames"],
    true_gap: Float[Tensor, " frames"],
    closed_mm: float = CLOSED_MM,
) -> Mapping[str, int]:
    """P, B and M in a clip in which the true lips meet, those in which ours do, and the same the other way round.

    Args:
        labels: phoneme of every frame.
        gap: between our lips, millimetres more than at rest.
        true_gap: between the true ones.
        closed_mm: gaps up to this count as shut.
    """
    counts = {"true": 0, "found": 0, "ours": 0, "right": 0}
    for start, stop in runs(torch.isin(labels, torch.tensor(BILABIALS))):
        around = slice(max(0, start - EARLY_FRAMES), stop + EARLY_FRAMES)
        truly, mine = (bool((curve[around] <= closed_mm).any()) for curve in (true_gap, gap))
        counts["true"] += truly
        counts["found"] += truly and mine
    for start, stop in runs(gap <= closed_mm):
        counts["ours"] += 1
        around = slice(max(0, start - EARLY_FRAMES), stop + EARLY_FRAMES)
        counts["right"] += bool((true_gap[around] <= closed_mm).any())
    return counts


def runs(flags: Bool[Tensor, " frames"]) -> list[tuple[int, int]]:
    """First and last-but-one frame of every stretch of True."""
    edges = torch.diff(flags.int(), prepend=torch.zeros(1, dtype=torch.int), append=torch.zeros(1, dtype=torch.int))
    starts, stops = (edges == 1).nonzero().flatten(), (edges == -1).nonzero().flatten()
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def _repeat(example: Example, num_frames: int) -> Tensor:
    """Features of a clip, repeated to a length."""
    features = example.features[0]
    return features.repeat(-(-num_frames // len(features)), 1)[:num_frames]
