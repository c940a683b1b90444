"""Whether a talker takes over the manner of a reference and leaves the timing to the speech."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.data.dataset import Example
from facetalk.head.channels import ARKIT_NAMES, indices
from facetalk.losses.geometry import LipGeometry
from facetalk.networks.styletalk import IDLE_NAMES, StyleTalkGenerator
from facetalk.talkers.styletalk import StyleTalk

SMILE = indices(("mouthSmileLeft", "mouthSmileRight"))
BROWS_UP = indices(("browInnerUp", "browOuterUpLeft", "browOuterUpRight"))
BROWS_DOWN = indices(("browDownLeft", "browDownRight"))
_SEEN = [index for index, name in enumerate(ARKIT_NAMES) if name not in IDLE_NAMES]
"""Channels that a style can show; lids and gaze are moved by chance."""


def retrieval(talker: StyleTalk, examples: Sequence[Example]) -> dict[str, float]:
    """How often the nearest other clip, by style code, shows the same speaker in the same mood; and by chance.

    Only clips that have another one of their style are asked; all are among the answers.
    """
    codes = torch.stack([talker.generator.style_encoder.encode_long(example.expression[0]) for example in examples])
    codes = comparable(talker.generator, codes)
    distance = torch.cdist(codes, codes).fill_diagonal_(torch.inf)
    styles = [example.clip.style for example in examples]
    right, luck = [], []
    for row, style in enumerate(styles):
        mates = styles.count(style) - 1
        if mates:
            right.append(float(styles[int(distance[row].argmin())] == style))
            luck.append(mates / (len(styles) - 1))
    if not right:
        return {}
    return {"retrieval": sum(right) / len(right), "retrieval_by_chance": sum(luck) / len(luck)}


def comparable(generator: StyleTalkGenerator, codes: Float[Tensor, "codes style"]) -> Float[Tensor, "codes width"]:
    """Style codes with their parts in like units: channels in their usual spread, the learned part in its own."""
    pooled, level, spread = generator.style_encoder.split(codes)
    unit = generator.usual_spread.clamp_min(0.02)
    pooled = (pooled - pooled.mean(0)) / pooled.std(0, correction=0).mean().clamp_min(1e-6)
    measured = torch.cat([(level / unit)[:, _SEEN], (spread / unit)[:, _SEEN]], 1).clamp(-5, 5)
    return torch.cat([pooled, measured], 1)


class MoodClassifier:
    """Level and spread of a motion's channels -> mood: ridge regression onto the moods, trained on tracked motion."""

    def __init__(self, motions: Sequence[Tensor], moods: Sequence[str], ridge: float = 3.0) -> None:
        self.moods = sorted(set(moods))
        rows = torch.stack([self.describe(motion) for motion in motions])
        self.centre, self.unit = rows.mean(0), rows.std(0, correction=0).clamp_min(0.01)
        x = (rows - self.centre) / self.unit
        target = torch.tensor([[mood == name for name in self.moods] for mood in moods], dtype=torch.float32)
        # Moods that are seen often count no more than others.
        weight = 1 / target.sum(0)[target.argmax(1)]
        self.offset = target.mean(0)
        moment = (x * weight[:, None]).T
        squares = moment @ x + ridge * torch.eye(x.shape[1])
        self.map = torch.linalg.solve(squares, moment @ (target - self.offset))

    @staticmethod
    def describe(motion: Float[Tensor, "frames n_expression"]) -> Float[Tensor, " width"]:
        """Mean and standard deviation of the channels that a style can show."""
        seen = motion[:, _SEEN]
        return torch.cat([seen.mean(0), seen.std(0, correction=0)])

    def __call__(self, motion: Float[Tensor, "frames n_expression"]) -> str:
        """The likeliest mood."""
        x = (self.describe(motion) - self.centre) / self.unit
        return self.moods[int((x @ self.map + self.offset).argmax())]


def judge_moods(
    talker: StyleTalk, examples: Sequence[Example], speech: Sequence[Float[Tensor, "frames features"]]
) -> dict[str, float]:
    """Whether made motion shows the mood of its reference, by classifiers that never saw the reference's speaker.

    `mood_real` is the share of references that are classified as labelled, `mood_made` that of motions made in their
    style, `mood_agreement` how often both are put into the same mood.
    """
    labelled = [example for example in examples if example.clip.label not in ("", "unstated")]
    moods = sorted({example.clip.label for example in labelled})
    if len(moods) < 2:
        return {}
    real, made, agreed = [], [], []
    for speaker in sorted({example.clip.speaker for example in labelled}):
        others = [example for example in labelled if example.clip.speaker != speaker]
        classify = MoodClassifier([e.expression[0] for e in others], [e.clip.label for e in others])
        for example in (example for example in labelled if example.clip.speaker == speaker):
            verdict = classify(example.expression[0])
            code = talker.generator.style_encoder.encode_long(example.expression[0])
            shown = classify(torch.cat([talker.decode(features, code) for features in speech]))
            real.append(verdict == example.clip.label)
            made.append(shown == example.clip.label)
            agreed.append(shown == verdict)
    shares = {"mood_real": real, "mood_made": made, "mood_agreement": agreed}
    return {name: sum(values) / len(values) for name, values in shares.items()} | {"mood_by_chance": 1 / len(moods)}


def judge_references(
    talker: StyleTalk,
    references: Sequence[Float[Tensor, "_ n_expression"]],
    features: Float[Tensor, "frames features"],
    geometry: LipGeometry,
) -> dict[str, float]:
    """One recording in many styles: does the timing stay, and do smile, brows and width follow the reference?

    `timing` is the mean correlation of the lip gap between two of the results, `timing_least` the least. `follow_*`
    correlate, over the references, the mean of the result with that of the reference.
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
