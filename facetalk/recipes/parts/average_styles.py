"""Average styles of a trained talker: the neutral style, styles of named emotions, and the amplitude of the mouth."""

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

CALM_LABELS = ("", "neutral", "unstated", "calm")
"""Labels of clips without a named emotion."""

MAX_COUNTED_FRAMES = 256
"""Longer clips count no more than this towards the neutral style."""

MIN_SPEAKERS = 3
"""Fewer speakers would give the style of a person rather than of an emotion."""

MIN_AMPLITUDE, MAX_AMPLITUDE = 0.3, 3.0

LIP_OPENING_CHANNELS = ("jaw", "mouthClose", "mouthLowerDown", "mouthUpperUp", "mouthRoll", "mouthShrug")
"""Prefixes of the names of the channels that open and close the lips."""

CLIPS_MEASURED = 3
"""Clips per speaker for the amplitude."""

MIN_SPREAD_MM = 0.5
"""Lower bound on the standard deviation of a measured lip curve."""


@torch.no_grad()
def mean_style(generator: StyleTalkGenerator, examples: Sequence[Example]) -> Float[Tensor, " style"]:
    """The neutral style: the mean style code of clips without a named emotion, weighted by length and sync.

    Spreads are averaged as root mean square, which makes half of the speakers livelier than the average.
    """
    calm = [example for example in examples if example.clip.label in CALM_LABELS] or list(examples)
    codes = torch.stack([generator.style_encoder.encode_long(example.expression[0]) for example in calm])
    weights = torch.tensor([example.weight * min(example.num_frames, MAX_COUNTED_FRAMES) for example in calm])
    return average(generator, codes, weights / weights.sum())


@torch.no_grad()
def emotion_styles(generator: StyleTalkGenerator, examples: Sequence[Example]) -> dict[str, Float[Tensor, " style"]]:
    """The mean style code of every emotion that at least three speakers show; all speakers count the same."""
    members: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        if example.clip.label not in CALM_LABELS:
            code = generator.style_encoder.encode_long(example.expression[0])
            members[example.clip.label][example.clip.speaker].append(code)
    styles = {}
    for emotion, speakers in sorted(members.items()):
        if len(speakers) >= MIN_SPEAKERS:
            codes = torch.stack([torch.stack(own).mean(0) for own in speakers.values()])
            styles[emotion] = average(generator, codes, torch.full((len(codes),), 1 / len(codes)))
    return styles


def average(
    generator: StyleTalkGenerator, codes: Float[Tensor, "codes style"], shares: Float[Tensor, " codes"]
) -> Float[Tensor, " style"]:
    """The weighted mean of style codes; spreads are averaged as root mean square."""
    pooled, level, spread = generator.style_encoder.split(codes)
    return torch.cat([shares @ pooled, shares @ level, (shares @ spread.square()).sqrt()])


@torch.no_grad()
def set_amplitude(
    talker: StyleTalk, examples: Sequence[Example], geometry: LipGeometry, targets: tuple[float, float]
) -> None:
    """Scale the mouth so that in the neutral style it moves as far as wanted, relative to the true mouths.

    A regression shrinks towards the mean by what it cannot predict, so openings come out too small. Measured on a few
    clips of each training speaker as a ratio of standard deviations. The median over the speakers counts: some hardly
    move their lips, so that their ratios are large.

    Args:
        talker: the `amplitude` of its generator is set.
        examples: the training examples.
        geometry: measures lip gap and mouth width.
        targets: wanted ratios of the lip gap, set by the channels that open and close the lips, and of the mouth
            width, set by the other channels of the lower face.
    """
    lower = indices(LOWER_NAMES)
    opening = [index for index in lower if ARKIT_NAMES[index].startswith(LIP_OPENING_CHANNELS)]
    groups = (opening, [index for index in lower if index not in opening])
    speakers: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        if len(speakers[example.clip.speaker]) < CLIPS_MEASURED:
            speakers[example.clip.speaker].append(example)
    scale = talker.generator.amplitude
    scale.fill_(1.0)
    for _ in range(3):  # lip contacts and the limits of the channels make the relation nonlinear
        ratios = torch.stack(
            [torch.stack([_spread_ratio(talker, e, geometry) for e in own]).mean(0) for own in speakers.values()]
        )
        for group, target, ratio in zip(groups, targets, ratios.quantile(0.5, dim=0).tolist(), strict=True):
            amplitude = float(scale[group[0]]) * target / max(ratio, 1e-3)
            scale[group] = min(max(amplitude, MIN_AMPLITUDE), MAX_AMPLITUDE)


def _spread_ratio(talker: StyleTalk, example: Example, geometry: LipGeometry) -> Float[Tensor, "2"]:
    """Standard deviations of lip gap and mouth width in the neutral style over those of the true mouth."""
    predicted = geometry.curves(talker.decode(example.features[0], talker.neutral_style)).std(0)
    return predicted / geometry.curves(example.expression[0]).std(0).clamp_min(MIN_SPREAD_MM)
