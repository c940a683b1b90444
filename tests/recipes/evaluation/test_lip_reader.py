from __future__ import annotations

import pytest
import torch

from facetalk.audio.phonemes import PHONEMES, SILENCE
from facetalk.recipes.evaluation.lip_reader import phoneme_figures


def test_phoneme_figures_of_a_hand_sized_example() -> None:
    posteriors = torch.tensor([PHONEMES.index(s) for s in ("P", "B", "AA", "SIL")])
    predicted = torch.nn.functional.one_hot(
        torch.tensor([PHONEMES.index(s) for s in ("P", "P", "P", "SIL")]), 41
    ).float()
    prior = torch.zeros(41)
    prior[SILENCE], prior[PHONEMES.index("AA")] = 0.6, 0.4
    figures = phoneme_figures(predicted, posteriors, prior)
    assert figures["phoneme"] == 0.5 and figures["speech_phoneme"] == pytest.approx(1 / 3)
    assert figures["viseme"] == 0.75 and figures["viseme_recall"] == pytest.approx(2 / 3)
    assert figures["prior_phoneme"] == 0.25 and figures["prior_speech_phoneme"] == pytest.approx(1 / 3)
