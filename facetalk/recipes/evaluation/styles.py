"""Whether a talker takes over the style of a reference and leaves the timing to the speech."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.data.dataset import Example
from facetalk.head.channels import ARKIT_NAMES, IDLE_NAMES, indices
from facetalk.losses.geometry import LipGeometry
from facetalk.networks.styletalk import StyleTalkGenerator
from facetalk.talkers.styletalk import StyleTalk

SMILE = indices(("mouthSmileLeft", "mouthSmileRight"))
BROWS_UP = indices(("browInnerUp", "browOuterUpLeft", "browOuterUpRight"))
BROWS_DOWN = indices(("browDownLeft", "browDownRight"))
_STYLE_CHANNELS = [index for index, name in enumerate(ARKIT_NAMES) if name not in IDLE_NAMES]
"""Channels that can show a style; eyelids and gaze are moved by gestures."""

UNKNOWN_LABELS = ("", "unstated")
"""Labels of clips whose emotion is not known."""

RIDGE = 3.0
"""Regularization of the emotion classifier."""


def style_retrieval(talker: StyleTalk, examples: Sequence[Example]) -> dict[str, float]:
    """How often the clip with the nearest style code shows the same speaker with the same emotion.

    Queries are the clips with at least one other clip of their style; all clips are candidates.

    Returns:
        `retrieval`, and `retrieval_by_chance` for a random candidate; empty without queries.
    """
    codes = torch.stack([talker.generator.style_encoder.encode_long(example.expression[0]) for example in examples])
    codes = comparable(talker.generator, codes)
    distance = torch.cdist(codes, codes).fill_diagonal_(torch.inf)
    styles = [example.clip.style for example in examples]
    right, chance = [], []
    for row, style in enumerate(styles):
        others = styles.count(style) - 1
        if others:
            right.append(float(styles[int(distance[row].argmin())] == style))
            chance.append(others / (len(styles) - 1))
    if not right:
        return {}
    return {"retrieval": sum(right) / len(right), "retrieval_by_chance": sum(chance) / len(chance)}


def comparable(generator: StyleTalkGenerator, codes: Float[Tensor, "codes style"]) -> Float[Tensor, "codes width"]:
    """Style codes with standardized parts: channels in their usual spread, the learned part in its own."""
    pooled, level, spread = generator.style_encoder.split(codes)
    unit = generator.usual_spread.clamp_min(0.02)
    pooled = (pooled - pooled.mean(0)) / pooled.std(0, correction=0).mean().clamp_min(1e-6)
    measured = torch.cat([(level / unit)[:, _STYLE_CHANNELS], (spread / unit)[:, _STYLE_CHANNELS]], 1).clamp(-5, 5)
    return torch.cat([pooled, measured], 1)


class EmotionClassifier:
    """Level and spread of a motion's channels -> emotion, by ridge regression on tracked motion."""

    def __init__(self, motions: Sequence[Tensor], labels: Sequence[str]) -> None:
        self.emotions = sorted(set(labels))
        rows = torch.stack([self.describe(motion) for motion in motions])
        self.mean, self.unit = rows.mean(0), rows.std(0, correction=0).clamp_min(0.01)
        x = (rows - self.mean) / self.unit
        target = torch.tensor([[label == name for name in self.emotions] for label in labels], dtype=torch.float32)
        # All emotions count the same, however frequent they are.
        weight = 1 / target.sum(0)[target.argmax(1)]
        self.offset = target.mean(0)
        moment = (x * weight[:, None]).T
        squares = moment @ x + RIDGE * torch.eye(x.shape[1])
        self.map = torch.linalg.solve(squares, moment @ (target - self.offset))

    @staticmethod
    def describe(motion: Float[Tensor, "frames n_expression"]) -> Float[Tensor, " width"]:
        """Mean and standard deviation of the channels that can show a style."""
        shown = motion[:, _STYLE_CHANNELS]
        return torch.cat([shown.mean(0), shown.std(0, correction=0)])

    def __call__(self, motion: Float[Tensor, "frames n_expression"]) -> str:
        """The most likely emotion."""
        x = (self.describe(motion) - self.mean) / self.unit
        return self.emotions[int((x @ self.map + self.offset).argmax())]


def evaluate_emotions(
    talker: StyleTalk, examples: Sequence[Example], speech: Sequence[Float[Tensor, "frames features"]]
) -> dict[str, float]:
    """Whether generated motion shows the emotion of its reference, by classifiers trained on other speakers.

    Args:
        talker: the talker.
        examples: the references; those without a known emotion are left out.
        speech: features of the speech that is spoken in each style.

    Returns:
        `emotion_real` is the share of references that are classified as labeled, `emotion_generated` that of motions
        generated in their style, `emotion_agreement` how often both are classified alike, and `emotion_by_chance` the
        rate of guessing. Empty with fewer than two emotions.
    """
    labeled = [example for example in examples if example.clip.label not in UNKNOWN_LABELS]
    emotions = sorted({example.clip.label for example in labeled})
    if len(emotions) < 2:
        return {}
    real, generated, agreed = [], [], []
    for speaker in sorted({example.clip.speaker for example in labeled}):
        others = [example for example in labeled if example.clip.speaker != speaker]
        classify = EmotionClassifier([e.expression[0] for e in others], [e.clip.label for e in others])
        for example in (example for example in labeled if example.clip.speaker == speaker):
            of_reference = classify(example.expression[0])
            code = talker.generator.style_encoder.encode_long(example.expression[0])
            of_generated = classify(torch.cat([talker.decode(features, code) for features in speech]))
            real.append(of_reference == example.clip.label)
            generated.append(of_generated == example.clip.label)
            agreed.append(of_generated == of_reference)
    shares = {"emotion_real": real, "emotion_generated": generated, "emotion_agreement": agreed}
    figures = {name: sum(values) / len(values) for name, values in shares.items()}
    return figures | {"emotion_by_chance": 1 / len(emotions)}


def evaluate_references(
    talker: StyleTalk,
    references: Sequence[Float[Tensor, "_ n_expression"]],
    features: Float[Tensor, "frames features"],
    geometry: LipGeometry,
) -> dict[str, float]:
    """One recording in many styles: is the timing the same, and do smile, brows and mouth follow the reference?

    Returns:
        `timing` is the mean correlation of the lip gap between two of the results, `timing_least` the lowest.
        `follow_*` are correlations, over the references, of a mean of the result with that of the reference.
    """
    results = [talker.decode(features, talker.generator.style_encoder.encode_long(rows)) for rows in references]
    gaps = torch.stack([geometry.curves(result)[:, 0] for result in results])
    pairs = torch.corrcoef(gaps)[tuple(torch.triu_indices(len(gaps), len(gaps), 1))]
    figures = {"timing": float(pairs.mean()), "timing_least": float(pairs.min())}
    for name in ("smile", "brow", "wide", "spread"):
        values = [[_measure(rows, name, geometry) for rows in motions] for motions in (results, references)]
        figures[f"follow_{name}"] = float(torch.corrcoef(torch.tensor(values))[0, 1])
    return figures


def _measure(motion: Float[Tensor, "_ n_expression"], name: str, geometry: LipGeometry) -> float:
    if name == "smile":
        return float(motion[:, SMILE].mean())
    if name == "brow":
        return float(motion[:, BROWS_UP].mean() - motion[:, BROWS_DOWN].mean())
    curves = geometry.curves(motion)
    return float(curves[:, 1].mean()) if name == "wide" else float(curves[:, 0].std())
