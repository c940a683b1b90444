"""Closures are counted where they belong."""

from __future__ import annotations

import torch

from facetalk.audio.phonemes import PHONEME_IDS
from facetalk.audio.visemes import bilabial_frames
from facetalk.metrics.closures import count_closures


def test_closures_are_counted_where_the_true_lips_meet() -> None:
    labels = torch.full((30,), PHONEME_IDS["AA"])
    labels[5:8], labels[15:18], labels[25:27] = PHONEME_IDS["P"], PHONEME_IDS["M"], PHONEME_IDS["B"]
    true_gap, gap = torch.full((30,), 6.0), torch.full((30,), 6.0)
    true_gap[6], true_gap[16] = 0.5, 0.0  # the B is not closed in truth
    gap[8], gap[20] = 0.9, 0.0  # one frame after the P: found; and once where nothing closes
    assert count_closures(bilabial_frames(labels), gap, true_gap) == {"true": 2, "found": 1, "ours": 2, "right": 0}
    gap[7] = 0.5
    assert count_closures(bilabial_frames(labels), gap, true_gap) == {"true": 2, "found": 1, "ours": 2, "right": 1}
