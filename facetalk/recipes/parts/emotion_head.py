"""The classifier of emotions in a voice, fitted when the encoder is trained: logistic regression on its states.

The encoder knows the actors that it learns from, and the classifier that teaches it is too sure of itself. A linear one
of little weight finds more on other people, and its probabilities are nearer to how often it is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from facetalk.core.config import check_ranges
from facetalk.data.emotional import UNKNOWN
from facetalk.networks.emotalk import NUM_LEVELS, REACH_FRAMES, EmoTalkNetwork, windowed
from facetalk.recipes.parts.emotional_data import ORDINARY
from facetalk.recipes.parts.linear_classifier import LinearClassifier

STRIDE = REACH_FRAMES // 3
"""Frames between two windows of a recording."""


@dataclass(frozen=True)
class EmotionHeadConfig:
    """How much the classifier may weigh, and what it hears beside voices."""

    decay: float = 0.02
    """Weight of the squared weights; the card says how it was chosen."""
    ordinary_share: float = 0.7
    """How much of what is heard later is expected to be ordinary speech, if that is a class; corpora hold less."""
    num_sounds: int = 80
    """Synthesized sounds that are no speech and count as ordinary: a tone feels nothing."""

    def __post_init__(self) -> None:
        check_ranges(self, decay=(0, 1e6), ordinary_share=(0.01, 0.99), num_sounds=(0, 10_000))


class KnownVoice(NamedTuple):
    """A recording whose emotion is known."""

    rows: Float[Tensor, "frames features"]
    sound: int
    """Class of the emotion."""
    strength: int
    """Class of the level, or `UNKNOWN`."""


@torch.no_grad()
def fit_emotion_head(network: EmoTalkNetwork, voices: Sequence[KnownVoice], config: EmotionHeadConfig) -> None:
    """Set the network's classifier; without voices, all emotions stay equally likely.

    It sees windows, as it does where the emotion changes. Every recording counts the same within its emotion, and every
    emotion that occurs the same; then the share of ordinary speech is corrected (King and Zeng 2001, eq. 7).

    Args:
        network: its other weights are trained.
        voices: what is known.
        config: of the classifier.
    """
    layer, num_sounds = network.classifier, len(network.config.sounds)
    known = [voice for voice in voices if len(voice.rows)]
    seen = [windowed(network.feel(voice.rows[None]))[0, ::STRIDE] for voice in known]
    sounds = [voice.sound for voice in known]
    _fit(layer, slice(0, num_sounds), seen, sounds, config.decay)
    _fit(layer, slice(num_sounds, num_sounds + NUM_LEVELS), seen, [voice.strength for voice in known], config.decay)
    others = len(set(sounds) - {UNKNOWN}) - 1
    if ORDINARY in network.config.sounds and others > 0:
        odds = config.ordinary_share / (1 - config.ordinary_share)
        layer.bias[network.config.sounds.index(ORDINARY)] += math.log(odds * others)


def _fit(
    layer: nn.Linear,
    outputs: slice,
    seen: Sequence[Float[Tensor, "_ statistics"]],
    classes: Sequence[int],
    decay: float,
) -> None:
    """Fit some outputs of a layer to the recordings whose class is known."""
    members = [(rows, index) for rows, index in zip(seen, classes, strict=True) if index != UNKNOWN]
    if not members:
        return
    counts = torch.tensor([len(rows) for rows, _ in members])
    known: Int64[Tensor, " windows"] = torch.tensor([index for _, index in members]).repeat_interleave(counts)
    fitted = LinearClassifier.fitted(
        torch.cat([rows for rows, _ in members]),
        known,
        outputs.stop - outputs.start,
        decay=decay,
        shares=(1 / counts).repeat_interleave(counts),
    )
    weight, bias = fitted.unscaled()
    layer.weight[outputs], layer.bias[outputs] = weight, bias
