"""How well laughter is detected in recordings of speakers that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.audio.activity import speech_activity
from facetalk.data.laughter import LaughterExample
from facetalk.metrics.detection import roc_auc
from facetalk.networks.laughter_detector import LaughterDetector

CLIP_WINDOW = 15
"""Frames, half a second, over which `clip_score` averages."""


@torch.no_grad()
def evaluate_detector(detector: LaughterDetector, examples: Sequence[LaughterExample]) -> dict[str, float]:
    """Rates over the audible frames of some recordings.

    Returns:
        `found` is the share of laughing frames with a probability above 0.5, `false_alarms` that of all other frames,
        `frame_auc` the area under the ROC curve. A figure is omitted where its kind of frames does not occur.
    """
    scores, labels = [], []
    for example in examples:
        probability = detector.probability(example.waveform.float())
        audible = speech_activity(example.waveform.float()) & (example.laughing | (not example.laughs))
        scores.append(probability[audible])
        labels.append(example.laughing[audible])
    score, laughing = torch.cat(scores), torch.cat(labels)
    figures = {}
    for name, rows in (("found", score[laughing]), ("false_alarms", score[~laughing])):
        if len(rows):
            figures[name] = float((rows > 0.5).float().mean())
    if len(figures) == 2:
        figures["frame_auc"] = roc_auc(score, laughing)
    return figures


def clip_score(probability: Float[Tensor, " frames"]) -> Float[Tensor, ""]:
    """The largest mean probability over half a second."""
    size = min(CLIP_WINDOW, len(probability))
    return probability.unfold(0, size, 1).mean(1).max()
