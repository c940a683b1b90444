"""Average manners: the neutral style, the named moods, and how lively a talker must be in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.data.dataset import Example
from facetalk.head.channels import LOWER_NAMES, indices
from facetalk.losses.geometry import LipGeometry
from facetalk.models.talker import Talker

CALM = ("", "neutral", "unstated", "calm")
"""Labels of clips that show no named mood."""

LONGEST_COUNTED = 256
"""Frames beyond which a longer clip counts no more towards the neutral style."""

FEWEST_SPEAKERS = 3
"""A mood of fewer speakers would be somebody's own manner."""

LIVELIEST = 2.0
"""Bound of the amplitude."""

CLIPS_MEASURED = 3
"""Of each speaker, for the amplitude."""

SMALLEST_SPREAD_MM = 0.5
"""Lips that move less are taken to move this much."""


@torch.no_grad()
def mean_style(talker: Talker, examples: Sequence[Example]) -> Float[Tensor, " style"]:
    """The mean style code of clips that show no named emotion, each clip as much as it counts.

    Of the spreads the mean square is taken: half of the speakers are livelier than that.
    """
    calm = [example for example in examples if example.clip.label in CALM] or list(examples)
    codes = torch.stack([talker.style_encoder.encode_long(example.expression[0]) for example in calm])
    shares = torch.tensor([example.weight * min(example.num_frames, LONGEST_COUNTED) for example in calm])
    return average(talker, codes, shares / shares.sum())


@torch.no_grad()
def mood_styles(talker: Talker, examples: Sequence[Example]) -> dict[str, Float[Tensor, " style"]]:
    """The mean style code of every mood that at least three speakers show; each speaker counts the same."""
    members: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        if example.clip.label not in CALM:
            code = talker.style_encoder.encode_long(example.expression[0])
            members[example.clip.label][example.clip.speaker].append(code)
    styles = {}
    for mood, speakers in sorted(members.items()):
        if len(speakers) >= FEWEST_SPEAKERS:
            codes = torch.stack([torch.stack(own).mean(0) for own in speakers.values()])
            styles[mood] = average(talker, codes, torch.full((len(codes),), 1 / len(codes)))
    return styles


def average(
    talker: Talker, codes: Float[Tensor, "codes style"], shares: Float[Tensor, " codes"]
) -> Float[Tensor, " style"]:
    """The mean code; of the spreads the mean square is taken."""
    pooled, level, spread = talker.style_encoder.split(codes)
    return torch.cat([shares @ pooled, shares @ level, (shares @ spread.square()).sqrt()])


@torch.no_grad()
def set_amplitude(talker: Talker, examples: Sequence[Example], geometry: LipGeometry, target: float) -> None:
    """Make the lower face so lively that in the neutral style the lips move `target` times as far as the true ones.

    A regression shrinks towards the mean by what it cannot foresee. Measured on a few clips of every speaker that is
    learnt from, as the mean ratio of the standard deviations of the lip gap; each speaker counts the same.
    """
    lower = indices(LOWER_NAMES)
    speakers: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if len(speakers[example.clip.speaker]) < CLIPS_MEASURED:
            speakers[example.clip.speaker].append(example)
    talker.amplitude.fill_(1.0)
    for _ in range(3):  # closing the lips and the ends of the channels' range bend the line
        ratios = [sum(_liveliness(talker, e, geometry) for e in own) / len(own) for own in speakers.values()]
        amplitude = float(talker.amplitude[lower[0]]) * target * len(ratios) / max(sum(ratios), 1e-3)
        talker.amplitude[lower] = min(max(amplitude, 1.0), LIVELIEST)


def _liveliness(talker: Talker, example: Example, geometry: LipGeometry) -> float:
    """Standard deviation of the lip gap in the neutral style over that of the true one."""
    made = geometry.curves(talker.decode(example.features[0], talker.neutral_style))[:, 0].std()
    return float(made / geometry.curves(example.expression[0])[:, 0].std().clamp_min(SMALLEST_SPREAD_MM))
