"""How well EmoTalk talks on speakers that it was not trained on, and what it hears in their voices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.data.emotional import UNKNOWN
from facetalk.losses.geometry import LipGeometry
from facetalk.networks.emotalk import EmoTalkNetwork, Performed
from facetalk.recipes.evaluation.talker import MIN_FRAMES, MIN_SYNC, as_long, compare_mouths
from facetalk.recipes.parts.emotional_data import EmotionalExample, EmotionalSampler


@torch.no_grad()
def evaluate_emotalk(
    network: EmoTalkNetwork, lips: LipGeometry, examples: Sequence[EmotionalExample], sampler: EmotionalSampler
) -> dict[str, float]:
    """Mean figures over clips, and over recordings.

    Returns:
        On tracked clips, the figures of `compare_mouths`, and the same as `shuffled_*` with the speech of another clip.
        On recordings with a known emotion, the share whose emotion is heard (`emotion_accuracy`, also as
        `emotion_accuracy_SOURCE` by what precedes a colon in the speaker's name) and whose level is
        (`level_accuracy`).
    """
    figures: dict[str, list[float]] = defaultdict(list)
    long = [e for e in examples if not e.is_paired and len(e.rows) >= MIN_FRAMES]
    synced = [e for e in long if e.clip.av_corr is None or e.clip.av_corr >= MIN_SYNC]
    anybody = sampler.person_row("")
    for index, example in enumerate(synced):
        other = synced[(index + max(1, len(synced) // 2)) % len(synced)]
        for prefix, heard in (("", example), ("shuffled_", other)):
            moved = as_long(voiced(network, heard.rows, anybody).expression.clamp(0, 1), len(example.expression))
            for name, value in compare_mouths(moved, example.expression, lips).items():
                figures[prefix + name].append(value)
    for example in (e for e in examples if e.is_paired):
        logits = network.classify(network.feel(example.rows[None]))
        true = sampler.sounds.get(example.clip.label.partition("/")[0], UNKNOWN)
        if true != UNKNOWN:
            right = float(int(logits.sounds.argmax()) == true)
            figures["emotion_accuracy"].append(right)
            figures[f"emotion_accuracy_{example.clip.speaker.partition(':')[0]}"].append(right)
        known = example.felt
        if known is not None and known.level and "/" in example.clip.label:
            figures["level_accuracy"].append(float(bool(logits.levels.argmax()) == (known.level > 2)))
    return {name: sum(values) / len(values) for name, values in figures.items()}


def voiced(
    network: EmoTalkNetwork, rows: Float[Tensor, "frames features"], person: Float[Tensor, " persons"]
) -> Performed:
    """What a network shows of some speech, with the emotion of the voice."""
    blocks = list(network.perform([rows], len(rows), person))
    return Performed(*(torch.cat(parts) for parts in zip(*blocks, strict=True)))
