"""`python -m facetalk.workshop.cards.talker DATA [TALKER]`: the figures in the talker's card, as one JSON document.

DATA is a dataset folder that `facetalk fit` wrote. Figures of the mouth are on the speakers that the configuration
`styletalk` keeps for validation; figures of emotions on all clips with a named one, by classifiers trained on other
speakers. All compare with motion that our own tracker fitted.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facetalk.audio.phonemes import find_phonemes, frame_labels
from facetalk.audio.visemes import bilabial_frames
from facetalk.core.timing import SAMPLE_RATE
from facetalk.data.dataset import Example, read_example, read_motion_example
from facetalk.data.manifest import read_manifest, split_by_speaker
from facetalk.head.model import HeadModel
from facetalk.io.audio import read_waveform
from facetalk.losses.geometry import LipGeometry
from facetalk.metrics.closures import count_closures
from facetalk.metrics.stability import mean_second_difference
from facetalk.metrics.vertices import largest_error_mm, mean_error_mm
from facetalk.motion.heads import load_head
from facetalk.recipes.evaluation.styles import evaluate_emotions, evaluate_references, style_retrieval
from facetalk.recipes.evaluation.talker import (
    MIN_FRAMES,
    MIN_SYNC,
    compare_mouths,
    features_of_other_clip,
)
from facetalk.recipes.registry import read_training_config
from facetalk.recipes.styletalk import RECIPE
from facetalk.talkers.registry import talker_folder
from facetalk.talkers.styletalk import StyleTalk

NUM_REFERENCES = 10
MIN_REFERENCE_FRAMES = 60
SILENCE_S = 10.0
MAX_WORD_CLIPS = 80
"""Number of LRW-AR clips: they are single words of 1.2 s, and similar to each other."""

Speak = Callable[[Sequence[Example], int], Tensor]
"""Examples and the index of one of them -> expression."""


def card_figures(data_dir: Path, talker: StyleTalk, head: HeadModel) -> dict[str, Any]:
    """All figures: one table for clips outside LRW-AR and one for LRW-AR, then style, emotions, references, silence."""
    options = read_training_config("styletalk")
    options.pop("method")
    config = replace(RECIPE.read_config(options).data, speeds=(1.0,))
    train, validation = split_by_speaker(read_manifest(data_dir), config.dev_speakers)
    spoken = [read_example(clip, talker.speech.encode, config) for clip in validation if clip.has_audio]
    geometry = LipGeometry(head.assets)
    figures: dict[str, Any] = {}
    for name, words in (("main", False), ("words", True)):
        chosen = [example for example in spoken if _is_synced(example) and _is_word(example) == words]
        if words:
            chosen = chosen[:: max(1, len(chosen) // MAX_WORD_CLIPS)]
        if chosen:
            figures[name] = _table(talker, chosen, head, geometry, spoken)
    clips = [read_motion_example(clip, config) for clip in (*validation, *train)]
    sentences = [example for example in clips if not _is_word(example)]
    names = {clip.name for clip in validation}
    kept = [example for example in clips if example.clip.name in names]
    speech = [e.features[0] for e in spoken if _is_synced(e) and not _is_word(e)]
    figures["style"] = style_retrieval(talker, [example for example in kept if not _is_word(example)])
    figures["style_all_kept"] = style_retrieval(talker, kept)
    figures["emotions"] = evaluate_emotions(talker, sentences, speech[:2])
    figures["references"] = _references(talker, sentences, speech, geometry)
    figures["silence"] = _silence(talker, geometry)
    return figures


def _is_word(example: Example) -> bool:
    return example.clip.speaker.startswith("LRW-AR")


def _is_synced(example: Example) -> bool:
    return (example.clip.av_corr or 0.0) >= MIN_SYNC and (example.num_frames >= MIN_FRAMES or _is_word(example))


def _table(
    talker: StyleTalk, examples: Sequence[Example], head: HeadModel, geometry: LipGeometry, spoken: Sequence[Example]
) -> dict[str, dict[str, float]]:
    """Figures of the talker in the neutral style and in the speaker's own, and of both baselines."""
    level = talker.generator.style_encoder.split(talker.neutral_style[None])[1]

    def neutral(examples: Sequence[Example], index: int) -> Tensor:
        return talker.decode(examples[index].features[0], talker.neutral_style)

    def own(examples: Sequence[Example], index: int) -> Tensor:
        example = examples[index]
        others = [e for e in spoken if e.clip.style == example.clip.style and e is not example]
        reference = others[0] if others else example
        return talker.decode(example.features[0], talker.generator.style_encoder.encode_long(reference.expression[0]))

    def shuffled(examples: Sequence[Example], index: int) -> Tensor:
        return talker.decode(features_of_other_clip(examples, index), talker.neutral_style)

    def still(examples: Sequence[Example], index: int) -> Tensor:
        return level.expand(examples[index].num_frames, -1).clamp(0, 1)

    rows = {"neutral style": neutral, "own style": own, "audio of another clip": shuffled, "mean face": still}
    phonemes = [_phonemes(example) for example in examples]
    return {name: _row(speak, examples, phonemes, head, geometry) for name, speak in rows.items()}


def _phonemes(example: Example) -> Tensor | None:
    """Phoneme of every frame; None for Arabic words, whose phonemes are not known."""
    if _is_word(example):
        return None
    return frame_labels(find_phonemes(read_waveform(example.clip.audio_path)), example.num_frames)


def _row(
    speak: Speak,
    examples: Sequence[Example],
    phonemes: Sequence[Tensor | None],
    head: HeadModel,
    geometry: LipGeometry,
) -> dict[str, float]:
    rows: list[dict[str, float]] = []
    closures: Counter[str] = Counter()
    lips = head.points.regions["lips"]
    for index, (example, labels) in enumerate(zip(examples, phonemes, strict=True)):
        predicted, true = speak(examples, index), example.expression[0]
        figures = compare_mouths(predicted, true, geometry)
        vertices, true_vertices = (_vertices(head, motion) for motion in (predicted, true))
        figures["lve_mm"] = float(largest_error_mm(vertices, true_vertices, lips).mean())
        figures["mve_mm"] = float(mean_error_mm(vertices, true_vertices).mean())
        rows.append(figures)
        if labels is not None:
            gap, true_gap = (geometry.curves(motion)[:, 0] for motion in (predicted, true))
            closures.update(count_closures(bilabial_frames(labels), gap, true_gap))
    result = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]} | {"clips": float(len(rows))}
    if closures["true"]:
        result["closure_recall"] = closures["found"] / closures["true"]
        result["closures"] = float(closures["true"])
    if closures["ours"]:
        result["closure_precision"] = closures["right"] / closures["ours"]
    return result


def _vertices(head: HeadModel, expression: Tensor) -> Tensor:
    frames = len(expression)
    return head(expression, torch.zeros(frames, 5, 3), torch.zeros(frames, 3), torch.zeros(head.num_betas))


def _references(
    talker: StyleTalk, clips: Sequence[Example], speech: Sequence[Tensor], geometry: LipGeometry
) -> dict[str, float]:
    """Mean over recordings of one recording in ten styles, each of another speaker or emotion."""
    styles = {e.clip.style: e.expression[0] for e in clips if e.num_frames >= MIN_REFERENCE_FRAMES}
    emotional = [style for style in styles if style.split("/")[1] not in ("", "unstated", "neutral")]
    others = [style for style in styles if style not in emotional]
    half = NUM_REFERENCES // 2
    chosen = emotional[:: max(1, len(emotional) // half)][:half] + others[:: max(1, len(others) // half)][:half]
    references = [styles[style] for style in chosen]
    figures = [evaluate_references(talker, references, features, geometry) for features in speech[:6]]
    return {name: sum(row[name] for row in figures) / len(figures) for name in figures[0]}


def _silence(talker: StyleTalk, geometry: LipGeometry) -> dict[str, float]:
    """Lips in silence: their gap, and how far they move after the first second."""
    result = talker.speak(torch.zeros(round(SILENCE_S * SAMPLE_RATE))).expression[30:]
    gap = geometry.curves(result)[:, 0]
    lips = geometry.lips(result).unflatten(1, (-1, 3))
    drift = float(gap.max() - gap.min())
    return {"gap_mm": float(gap.mean()), "drift_mm": drift, "shaking_mm": float(mean_second_difference(lips))}


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m facetalk.workshop.cards.talker DATA [TALKER]")
    styletalk = StyleTalk.from_folder(talker_folder(sys.argv[2] if len(sys.argv) > 2 else "styletalk"))
    print(json.dumps(card_figures(Path(sys.argv[1]), styletalk, load_head()), indent=2))
