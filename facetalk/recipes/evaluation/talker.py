"""How well a talker moves the mouth on speakers that it was not trained on, with a still face and wrong audio beside.

All figures compare with motion that the tracker fitted to video.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from facetalk.data.dataset import Example
from facetalk.losses.geometry import LipGeometry
from facetalk.metrics.correlation import correlation
from facetalk.metrics.stability import mean_second_difference
from facetalk.talkers.styletalk import StyleTalk

MIN_SYNC = 0.3
"""Clips with a lower `av_corr` are left out: their audio and video may not belong together."""

MIN_FRAMES = 45
"""Clips shorter than 1.5 s are left out: their correlations are too uncertain."""

CURVES = ("open", "wide")
"""Names of the curves of `LipGeometry.curves` in the keys of the figures."""

MIN_SPREAD_MM = 1e-6


def evaluate_talker(talker: StyleTalk, examples: Sequence[Example], geometry: LipGeometry) -> dict[str, float]:
    """Mean figures over clips, in the neutral style: the style of a clip itself could reveal its motion.

    Returns:
        The figures of `compare_mouths`, and with several clips the same as `shuffled_*` with the audio of another clip.
    """
    long = [example for example in examples if example.num_frames >= MIN_FRAMES]
    synced = [example for example in long if example.clip.av_corr is None or example.clip.av_corr >= MIN_SYNC]
    figures: dict[str, list[float]] = defaultdict(list)
    for index, example in enumerate(synced):
        heard = {"": example.features[0]}
        if len(synced) > 1:
            heard["shuffled_"] = features_of_other_clip(synced, index)
        for prefix, features in heard.items():
            predicted = talker.decode(features, talker.neutral_style)
            for name, value in compare_mouths(predicted, example.expression[0], geometry).items():
                figures[prefix + name].append(value)
    return {name: sum(values) / len(values) for name, values in figures.items()}


def features_of_other_clip(examples: Sequence[Example], index: int) -> Float[Tensor, "frames features"]:
    """Features of a clip half the list away, repeated to the length of the clip at `index`."""
    num_frames = examples[index].num_frames
    features = examples[(index + max(1, len(examples) // 2)) % len(examples)].features[0]
    return as_long(features, num_frames)


def as_long(rows: Float[Tensor, "_ columns"], num_frames: int) -> Float[Tensor, "frames columns"]:
    """Rows repeated or cut to a length."""
    return rows.repeat(-(-num_frames // len(rows)), 1)[:num_frames]


def compare_mouths(
    predicted: Float[Tensor, "frames n_expression"],
    true: Float[Tensor, "frames n_expression"],
    geometry: LipGeometry,
) -> dict[str, float]:
    """Figures of one clip.

    Returns:
        `r_open` and `r_wide` are the correlations over time of lip gap and mouth width, `gain_*` the ratios of their
        standard deviations. `lip_mm` is the mean distance of mouth landmarks after the mean shape of each clip was
        removed, `still_lip_mm` the same for a mouth that does not move. `jitter` is the ratio of mean second
        differences of these landmarks.
    """
    curves, true_curves = geometry.curves(predicted), geometry.curves(true)
    spread = curves.std(0).clamp_min(MIN_SPREAD_MM)
    gain = spread / true_curves.std(0).clamp_min(MIN_SPREAD_MM)
    figures = {}
    for name, r, ratio in zip(CURVES, correlation(curves, true_curves).tolist(), gain.tolist(), strict=True):
        figures |= {f"r_{name}": r, f"gain_{name}": ratio}
    lips, true_lips = (geometry.lips(motion).unflatten(1, (-1, 3)) for motion in (predicted, true))
    movement, true_movement = lips - lips.mean(0), true_lips - true_lips.mean(0)
    jitter = mean_second_difference(lips) / mean_second_difference(true_lips).clamp_min(1e-6)
    return figures | {
        "lip_mm": float((movement - true_movement).norm(dim=-1).mean()),
        "still_lip_mm": float(true_movement.norm(dim=-1).mean()),
        "jitter": float(jitter),
    }
