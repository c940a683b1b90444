"""What a talker is worth on speakers that it never saw, beside a still face and beside the wrong sound."""

from __future__ import annotations

from collections import defaultdict

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.data.dataset import Example
from facetalk.losses.geometry import LipGeometry
from facetalk.models.talker import Talker

MIN_SYNC = 0.3
"""Clips whose `av_corr` is below this prove nothing about lips: sound and picture may not belong together."""

MIN_FRAMES = 45
"""Correlations over less than 1.5 s say little."""

CURVES = ("open", "wide")


def judge_talker(talker: Talker, examples: list[Example], geometry: LipGeometry) -> dict[str, float]:
    """Mean figures over clips, in the talker's neutral style: a clip's own style could give its motion away.

    `r_*` is the correlation of predicted and tracked lip gap and mouth width over time, `gain_*` the ratio of their
    standard deviations, `lip_mm` the mean distance of mouth landmarks with each clip's mean shape taken out.
    `shuffled_*` are the same with the sound of another clip, `still_lip_mm` the distance of a mouth that never moves.
    All are agreement with our own tracker.
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
    }


def _repeat(example: Example, num_frames: int) -> Tensor:
    """Features of a clip, repeated to a length."""
    features = example.features[0]
    return features.repeat(-(-num_frames // len(features)), 1)[:num_frames]
