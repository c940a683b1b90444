from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.data.dataset import Example
from facetalk.data.manifest import Clip
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES
from facetalk.losses.geometry import LipGeometry
from facetalk.recipes.evaluation.styles import (
    SMILE,
    EmotionClassifier,
    evaluate_emotions,
    evaluate_references,
    style_retrieval,
)
from tests.recipes.toy import NUM_FEATURES
from tests.talkers.toys import toy_talker


def example(speaker: str, emotion: str, smile: float, seed: int) -> Example:
    generator = torch.Generator().manual_seed(seed)
    rows = 0.2 + 0.02 * torch.rand(90, 52, generator=generator)
    rows[:, SMILE] += smile
    rows[:, ARKIT_NAMES.index("browInnerUp")] += 0.3 * ("ann", "bob", "cy").index(speaker)
    return Example(Clip(Path(), f"{speaker}{seed}", speaker, emotion), (), (rows,), (torch.ones(90),), 1.0)


def clips() -> list[Example]:
    return [
        example(speaker, emotion, smile, seed)
        for speaker in ("ann", "bob", "cy")
        for emotion, smile in (("happy", 0.5), ("sad", 0.0))
        for seed in (1, 2)
    ]


def test_the_nearest_code_is_of_the_same_style() -> None:
    figures = style_retrieval(toy_talker(), clips())
    assert figures["retrieval"] == 1.0
    assert figures["retrieval_by_chance"] == pytest.approx(1 / 11)


def test_emotions_are_classified_on_speakers_that_were_not_trained_on() -> None:
    others = [e for e in clips() if e.clip.speaker != "cy"]
    classify = EmotionClassifier([e.expression[0] for e in others], [e.clip.label for e in others])
    assert [classify(e.expression[0]) for e in clips()[-4:]] == ["happy", "happy", "sad", "sad"]
    figures = evaluate_emotions(toy_talker(), clips(), [torch.rand(40, NUM_FEATURES)])
    assert figures["emotion_real"] == 1.0
    assert figures["emotion_by_chance"] == 0.5


def test_results_follow_the_levels_of_their_references(toy_assets: HeadAssets) -> None:
    references = [e.expression[0] for e in clips()]
    figures = evaluate_references(toy_talker(), references, torch.rand(60, NUM_FEATURES), LipGeometry(toy_assets))
    assert figures["follow_smile"] > 0.7
    assert -1 <= figures["timing_least"] <= figures["timing"] <= 1
