from __future__ import annotations

import pytest
import torch

from facetalk.recipes.evaluation.laughter import clip_score


def test_the_score_of_a_clip_is_its_best_half_second() -> None:
    probability = torch.zeros(60)
    probability[20:30] = 0.9
    assert float(clip_score(probability)) == pytest.approx(0.9 * 10 / 15)
    assert float(clip_score(torch.full((4,), 0.3))) == pytest.approx(0.3)  # shorter than half a second
