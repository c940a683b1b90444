"""How well a lip reader finds phonemes and visemes on speakers that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from facetalk.audio.phonemes import PHONEME_IDS, SILENCE
from facetalk.audio.visemes import BILABIAL, VISEMES, viseme_of_phoneme
from facetalk.data.faces import mouth_images
from facetalk.metrics.detection import roc_auc
from facetalk.networks.lip_reader import PhonemeLipReader


@dataclass(frozen=True, eq=False)
class LabeledMouth:
    """Mouth crops of a clip, with labels from its audio and its landmarks."""

    speaker: str
    mouths: np.ndarray
    posteriors: Float[Tensor, "frames phonemes"]
    """Probability of each phoneme, from the audio."""
    articulation: Float[Tensor, "frames articulators"]
    """Position of each articulator, from the audio."""
    shape: Float[Tensor, "frames distances"]
    """Distances of `IBUG_LIP_SHAPE_PAIRS` relative to the side of the face box."""
    trusted: Float[Tensor, " frames"]
    rendered: np.ndarray | None = None
    """The same mouths, rendered from the fitted motion."""


@torch.no_grad()
def evaluate_reader(
    reader: PhonemeLipReader, clips: Sequence[tuple[np.ndarray, LabeledMouth]], prior: Float[Tensor, " phonemes"]
) -> dict[str, float]:
    """Figures of a lip reader over the trusted frames of some clips; empty without clips.

    Args:
        reader: the lip reader.
        clips: mouth crops (of the video or rendered), and the labels.
        prior: frequency of each phoneme in the training data.

    Returns:
        See `phoneme_figures`; the true phoneme is the most probable one in the audio.
    """
    if not clips:
        return {}
    predicted, labels = [], []
    for mouths, clip in clips:
        predicted.append(reader(mouth_images(np.asarray(mouths))[None])[0].softmax(-1)[clip.trusted > 0])
        labels.append(clip.posteriors.argmax(-1)[clip.trusted > 0])
    return phoneme_figures(torch.cat(predicted), torch.cat(labels), prior)


def phoneme_figures(
    predicted: Float[Tensor, "frames phonemes"], labels: Int64[Tensor, " frames"], prior: Float[Tensor, " phonemes"]
) -> dict[str, float]:
    """Shares of frames with the right phoneme and viseme.

    Args:
        predicted: probability of each phoneme.
        labels: the true phonemes.
        prior: frequency of each phoneme in the training data.

    Returns:
        `phoneme` and `viseme` are shares of right frames, `viseme_recall` the mean over visemes of the share found when
        predictions are divided by their prior. With `speech_` they are without silence. `prior_*` always predicts the
        most frequent class. `closure_auc` is the area under the ROC curve of P, B and M against all other sounds; it
        is omitted unless both occur.
    """
    speech = labels != SILENCE
    figures = _accuracies("", predicted, labels, prior)
    spoken = _without_silence(predicted)
    figures |= _accuracies("speech_", spoken[speech], labels[speech], _without_silence(prior[None])[0])
    bilabials = [PHONEME_IDS[symbol] for symbol in BILABIAL]
    closing = torch.isin(labels[speech], torch.tensor(bilabials))
    share = spoken[speech][:, bilabials].sum(-1) / spoken[speech].sum(-1).clamp_min(1e-6)
    if closing.any() and not closing.all():
        figures["closure_auc"] = roc_auc(share, closing)
    return figures


def _without_silence(rows: Float[Tensor, "rows phonemes"]) -> Float[Tensor, "rows phonemes"]:
    rows = rows.clone()
    rows[:, SILENCE] = 0
    return rows


def _accuracies(prefix: str, predicted: Tensor, labels: Tensor, prior: Tensor) -> dict[str, float]:
    visemes = viseme_of_phoneme()
    merge = torch.nn.functional.one_hot(visemes, len(VISEMES)).float()
    true_visemes = visemes[labels]
    likely = (predicted @ merge).argmax(-1)
    corrected = (predicted @ merge / (prior @ merge).clamp_min(1e-3)).argmax(-1)
    kinds = [kind for kind in range(len(VISEMES)) if (true_visemes == kind).any()]
    recalls = [_share(corrected[true_visemes == kind] == kind) for kind in kinds]
    return {
        f"{prefix}phoneme": _share(predicted.argmax(-1) == labels),
        f"prior_{prefix}phoneme": _share(prior.argmax() == labels),
        f"{prefix}viseme": _share(likely == true_visemes),
        f"prior_{prefix}viseme": _share((prior @ merge).argmax() == true_visemes),
        f"{prefix}viseme_recall": sum(recalls) / max(1, len(recalls)),
    }


def _share(hits: Bool[Tensor, " rows"]) -> float:
    return float(hits.float().mean()) if hits.numel() else float("nan")
