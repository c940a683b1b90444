"""How well the expression network finds emotions and channels on speakers that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.emotions import EMOTIONS
from facetalk.data.faces import FaceExample, face_images
from facetalk.metrics.correlation import correlation
from facetalk.networks.expression_net import ExpressionNet

FRAMES_PER_CLIP = 8
"""Frames of each clip whose emotion is predicted."""

MIN_FRAMES, MAX_FRAMES, FRAME_STEP = 60, 240, 4
"""Clips with fewer frames are left out of the correlations, longer ones are cut; every fourth frame is used."""

NUM_CHANNELS = 16
"""Number of channels, those that move most, in the correlations."""


@dataclass(frozen=True, eq=False)
class EmotionClip:
    """The face crops of a clip and the index of its emotion."""

    speaker: str
    faces: np.ndarray
    emotion: int


def with_emotion(examples: Sequence[FaceExample]) -> list[EmotionClip]:
    """The clips whose label is one of `EMOTIONS`."""
    named = [example for example in examples if example.clip.label in EMOTIONS]
    return [EmotionClip(e.clip.speaker, e.crops.faces, EMOTIONS.index(e.clip.label)) for e in named]


def emotion_accuracy(net: ExpressionNet, clips: Sequence[EmotionClip], most_frequent: int) -> dict[str, float]:
    """Shares of frames with the right emotion; empty without clips.

    Args:
        net: the network.
        clips: labeled clips.
        most_frequent: index of the most frequent emotion in the training data.

    Returns:
        `accuracy` is the mean over clips, `recall` the mean over emotions; `prior_*` are those of always predicting the
        most frequent emotion. `emotions_judged` and `clips_judged` are counts.
    """
    hits: dict[int, list[float]] = {}
    for clip in clips:
        frames = np.linspace(0, len(clip.faces) - 1, min(FRAMES_PER_CLIP, len(clip.faces))).round().astype(int)
        predicted = net(face_images(clip.faces[frames])).argmax(-1)
        hits.setdefault(clip.emotion, []).append(float((predicted == clip.emotion).float().mean()))
    if not hits:
        return {}
    every = [hit for row in hits.values() for hit in row]
    return {
        "accuracy": sum(every) / len(every),
        "prior_accuracy": len(hits.get(most_frequent, [])) / len(every),
        "recall": sum(sum(row) / len(row) for row in hits.values()) / len(hits),
        "prior_recall": float(most_frequent in hits) / len(hits),
        "emotions_judged": float(len(hits)),
        "clips_judged": float(len(every)),
    }


def channel_correlation(
    net: ExpressionNet, examples: Sequence[FaceExample], spread: Float[Tensor, " n_expression"]
) -> dict[str, float]:
    """Correlation over time of the channels that move most with the tracker's, mean over channels and clips.

    Args:
        net: the network.
        examples: clips; short ones are left out.
        spread: standard deviation of each channel in the training data.
    """
    lively = torch.argsort(spread, descending=True)[:NUM_CHANNELS]
    found = []
    for example in examples:
        if example.num_frames >= MIN_FRAMES:
            frames = np.arange(0, min(example.num_frames, MAX_FRAMES), FRAME_STEP)
            channels = net.to_channels(net.features(face_images(example.crops.faces[frames])))[:, lively]
            true = example.expression[torch.from_numpy(frames)][:, lively]
            found.append(float(correlation(channels, true).mean()))
    return {"r_channels": sum(found) / len(found)} if found else {}
