"""Generated behavior next to the real one of the same recordings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.timing import FPS
from facetalk.data.behavior import BehaviorExample
from facetalk.head.behavior import STATES
from facetalk.metrics.blinks import find_blinks
from facetalk.metrics.detection import roc_auc
from facetalk.metrics.head_pose import pose_spread, spectral_distance_db, speech_correlation
from facetalk.networks.facial import FacialNetwork, generated_windows

NEPERS_TO_DB = 8.685889638
_CLOSED = 0.5


def evaluate_behavior(network: FacialNetwork, examples: Sequence[BehaviorExample]) -> dict[str, float]:
    """Mean over the clips of how far head and lids move, and how well that goes with the speech.

    Args:
        network: in evaluation mode.
        examples: real behavior of speakers that the network was not trained on.
    """
    rows: list[dict[str, float]] = []
    for index, example in enumerate(examples):
        generator = torch.Generator().manual_seed(index)
        with torch.no_grad():
            states = generated_windows(network, example.features, generator)
        moving = (states - network.usual) / network.usual_spread * network.spread
        rows.append(compare_behavior(moving, example))
    names = rows[0]
    return {name: float(torch.tensor([row[name] for row in rows]).nanmean()) for name in names}


def compare_behavior(generated: Float[Tensor, "frames states"], example: BehaviorExample) -> dict[str, float]:
    """Figures of one clip.

    Args:
        generated: in degrees, closure and channel weights.
        example: the real behavior.
    """
    real = example.behavior.states * example.behavior.spread
    angles, real_angles = generated[:, STATES["pose"]], real[:, STATES["pose"]]
    loudness = example.features[:, 0] * NEPERS_TO_DB
    found, chance = speech_correlation(angles, loudness, FPS)
    real_found, real_chance = speech_correlation(real_angles, loudness, FPS)
    lids, real_lids = (values[:, STATES["blink"]][:, 0] for values in (generated, real))
    closing = (real_lids[1:] > _CLOSED) & (real_lids[:-1] <= _CLOSED)
    return {
        "spectral_db": spectral_distance_db(angles, real_angles, FPS),
        "spread_ratio": float(pose_spread(angles).mean() / pose_spread(real_angles).mean()),
        "speed_ratio": float(angles.diff(dim=0).norm(dim=1).mean() / real_angles.diff(dim=0).norm(dim=1).mean()),
        "speech": found - chance,
        "speech_real": real_found - real_chance,
        "blinks_per_s": find_blinks(lids, FPS).rate,
        "blinks_per_s_real": find_blinks(real_lids, FPS).rate,
        "blink_auc": roc_auc(lids[1:], closing) if closing.any() else float("nan"),
    }
