"""Average manners: the neutral style, the named moods, and how lively a talker must be in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.data.dataset import Example
from facetalk.head.channels import ARKIT_NAMES, LOWER_NAMES, indices
from facetalk.losses.geometry import LipGeometry
from facetalk.networks.styletalk import StyleTalkGenerator
from facetalk.talkers.styletalk import StyleTalk

CALM = ("", "neutral", "unstated", "calm")
"""Labels of clips that show no named mood."""

LONGEST_COUNTED = 256
"""Frames beyond which a longer clip counts no more towards the neutral style."""

FEWEST_SPEAKERS = 3
"""A mood of fewer speakers would be somebody's own manner."""

CALMEST, LIVELIEST = 0.3, 3.0
"""Bounds of the amplitude."""

PARTING = ("jaw", "mouthClose", "mouthLowerDown", "mouthUpperUp", "mouthRoll", "mouthShrug")
"""Starts of the names of the channels that open and close the lips."""

CLIPS_MEASURED = 3
"""Of each speaker, for the amplitude."""

SMALLEST_SPREAD_MM = 0.5
"""Lips that move less are taken to move this much."""


@torch.no_grad()
def mean_style(talker: StyleTalkGenerator, examples: Sequence[Example]) -> Float[Tensor, " style"]:
    """The mean style code of clips that show no named emotion, each clip as much as it counts.

    Of the spreads the mean square is taken: half of the speakers are livelier than that.
    """
    calm = [example for example in examples if example.clip.label in CALM] or list(examples)
    codes = torch.stack([talker.style_encoder.encode_long(example.expression[0]) for example in calm])
    shares = torch.tensor([example.weight * min(example.num_frames, LONGEST_COUNTED) for example in calm])
    return average(talker, codes, shares / shares.sum())


@torch.no_grad()
def mood_styles(talker: StyleTalkGenerator, examples: Sequence[Example]) -> dict[str, Float[Tensor, " style"]]:
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
    talker: StyleTalkGenerator, codes: Float[Tensor, "codes style"], shares: Float[Tensor, " codes"]
) -> Float[Tensor, " style"]:
    """The mean code; of the spreads the mean square is taken."""
    pooled, level, spread = talker.style_encoder.split(codes)
    return torch.cat([shares @ pooled, shares @ level, (shares @ spread.square()).sqrt()])


@torch.no_grad()
def set_amplitude(
    talker: StyleTalk, examples: Sequence[Example], geometry: LipGeometry, targets: tuple[float, float]
) -> None:
    """Make the mouth so lively that in the neutral style it moves as wanted, compared with the true mouths.

    A regression shrinks towards the mean by what it cannot foresee, so openings come out too small; and the nearest
    guess of something hardly foreseen, such as the width, is a small movement. Measured on a few clips of every speaker
    that is learnt from, as the mean ratio of standard deviations; each speaker counts the same.

    Args:
        talker: its generator gets the `amplitude`.
        examples: that it learned from.
        geometry: measures lip gap and mouth width.
        targets: wanted ratios of the lip gap, set by the channels that part the lips or bring them together, and of the
            mouth's width, set by the other channels of the lower face.
    """
    lower = indices(LOWER_NAMES)
    parting = [index for index in lower if ARKIT_NAMES[index].startswith(PARTING)]
    groups = (parting, [index for index in lower if index not in parting])
    speakers: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if len(speakers[example.clip.speaker]) < CLIPS_MEASURED:
            speakers[example.clip.speaker].append(example)
    talker.generator.amplitude.fill_(1.0)
    for _ in range(3):  # closing the lips and the ends of the channels' range bend the line
        ratios = torch.stack(
            [torch.stack([_liveliness(talker, e, geometry) for e in own]).mean(0) for own in speakers.values()]
        )
        for group, target, found in zip(groups, targets, ratios.mean(0).tolist(), strict=True):
            amplitude = float(talker.generator.amplitude[group[0]]) * target / max(found, 1e-3)
            talker.generator.amplitude[group] = min(max(amplitude, CALMEST), LIVELIEST)


def _liveliness(talker: StyleTalk, example: Example, geometry: LipGeometry) -> Float[Tensor, "2"]:
    """Standard deviations of lip gap and mouth width in the neutral style over those of the true mouth."""
    made = geometry.curves(talker.decode(example.features[0], talker.neutral_style)).std(0)
    return made / geometry.curves(example.expression[0]).std(0).clamp_min(SMALLEST_SPREAD_MM)
