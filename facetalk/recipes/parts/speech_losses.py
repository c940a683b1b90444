"""Losses of encoders of speech, whatever they are made of."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from facetalk.losses.speech import mouth_disagreement
from facetalk.networks.speech_encoder import SpeechHeads
from facetalk.recipes.parts.speech_sampler import SpeechBatch


@dataclass(frozen=True)
class SpeechLossWeights:
    """Weight of each term."""

    phonemes: float = 1.0
    articulation: float = 4.0
    mouth: float = 1.0
    teacher: float = 1.0


def speech_terms(heads: SpeechHeads, batch: SpeechBatch) -> dict[str, Tensor]:
    """Loss terms of the heads' outputs.

    Cross entropy of phonemes, absolute error of articulators, disagreement about the mouth (`mouth_disagreement`), and
    the unexplained share of the teacher's variance.
    """
    total = batch.trust.sum().clamp_min(1)
    entropy = functional.cross_entropy(
        heads.phonemes.flatten(0, 1), batch.labels.flatten(), reduction="none", label_smoothing=0.1
    )
    distance = (heads.articulation - batch.articulation).abs().mean(-1)
    error, power = (heads.hidden - batch.teacher).square().sum(-1), batch.teacher.square().sum(-1)
    known = batch.teacher_known
    return {
        "phonemes": (entropy.view_as(batch.trust) * batch.trust).sum() / total,
        "articulation": (distance * batch.trust).sum() / total,
        "mouth": mouth_disagreement(heads.mouth, batch.mouth, batch.mouth_known, batch.mouth_weight),
        "teacher": (error * known).sum() / (power * known).sum().clamp_min(1e-6),
    }
