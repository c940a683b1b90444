from __future__ import annotations

from pathlib import Path

import pytest
import torch

from facetalk.data.dataset import Example
from facetalk.data.manifest import Clip
from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES
from facetalk.losses.geometry import LipGeometry
from facetalk.recipes.evaluation.styles import SMILE, MoodClassifier, judge_moods, judge_references, retrieval
from tests.recipes.toy import NUM_FEATURES
from tests.talkers.toys import toy_talker


def example(speaker: str, mood: str, smile: float, seed: int) -> Example:
    chance = torch.Generator().manual_seed(seed)
    rows = 0.2 + 0.02 * torch.rand(90, 52, generator=chance)
    rows[:, SMILE] += smile
    rows[:, ARKIT_NAMES.index("browInnerUp")] += 0.3 * ("ann", "bob", "cy").index(speaker)
    return Example(Clip(Path(), f"{speaker}{seed}", speaker, mood), (), (rows,), (torch.ones(90),), 1.0)


def clips() -> list[Example]:
    return [
        example(speaker, mood, smile, seed)
        for speaker in ("ann", "bob", "cy")
        for mood, smile in (("happy", 0.5), ("sad", 0.0))
        for seed in (1, 2)
    ]


def test_the_nearest_code_is_of_the_same_style() -> None:
    figures = retrieval(toy_talker(), clips())
    assert figures["retrieval"] == 1.0
    assert figures["retrieval_by_chance"] == pytest.approx(1 / 11)


def test_moods_are_told_apart_on_speakers_that_were_not_learnt() -> None:
    learnt = [e for e in clips() if e.clip.speaker != "cy"]
    classify = MoodClassifier([e.expression[0] for e in learnt], [e.clip.label for e in learnt])
    assert [classify(e.expression[0]) for e in clips()[-4:]] == ["happy", "happy", "sad", "sad"]
    figures = judge_moods(toy_talker(), clips(), [torch.rand(40, NUM_FEATURES)])
    assert figures["mood_real"] == 1.0
    assert figures["mood_by_chance"] == 0.5


def test_a_style_that_passes_levels_on_is_followed(toy_assets: HeadAssets) -> None:
    references = [e.expression[0] for e in clips()]
    figures = judge_references(toy_talker(), references, torch.rand(60, NUM_FEATURES), LipGeometry(toy_assets))
    assert figures["follow_smile"] > 0.7
    assert -1 <= figures["timing_least"] <= figures["timing"] <= 1
