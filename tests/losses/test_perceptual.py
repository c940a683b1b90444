from __future__ import annotations

import math

import pytest
import torch

from facetalk.losses.perceptual import (
    correction_size,
    emotion_error,
    inner,
    landmark_error,
    landmark_weights,
    lip_reading_error,
    mouth_distances,
    out_of_bounds,
    relative_error,
)

ALL = torch.ones(4)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_losses_see_frames_two_to_k_minus_three() -> None:
    assert inner(torch.arange(20.0)).tolist() == list(range(2, 18))


def test_landmark_error_agrees_with_a_plain_loop() -> None:
    mine, seen = noise(4, 68, 2), noise(4, 68, 2, seed=1)
    weights = [2.0 if i in (5, 6, 10, 11) else 3.0 if i in (30, 31, 35) else 1.5 if 27 <= i <= 35 else float(i < 48)
               for i in range(68)]  # fmt: skip
    assert landmark_weights().tolist() == weights
    total = 0.0
    for frame in range(4):
        for i, weight in enumerate(weights):
            total += weight * float((mine[frame, i] - seen[frame, i]).abs().sum()) / (2 * sum(weights)) / 4
    assert float(landmark_error(mine, seen, ALL)) == pytest.approx(total, rel=1e-5)


def test_the_mouth_is_judged_by_its_distances_only() -> None:
    mine, moved = noise(4, 68, 2), noise(4, 68, 2)
    moved[:, 48:] += 0.5
    assert float(landmark_error(mine, moved, ALL)) == 0
    moved[:, [8, 33]] += 0.5  # the pairs that reach outside the mouth
    assert float(relative_error(mine, moved, ALL)) == pytest.approx(0, abs=1e-6)
    moved[:, 66] += torch.tensor([0.0, 1.0])
    assert float(relative_error(mine, moved, ALL)) > 0


def test_mouth_distances_are_lengths() -> None:
    points = torch.zeros(1, 68, 2)
    points[0, 66] = torch.tensor([3.0, 4.0])
    assert mouth_distances(points)[0, 5] == pytest.approx(5)


def test_untrusted_frames_do_not_count() -> None:
    mine, seen = noise(4, 68, 2), noise(4, 68, 2)
    seen[2] += 9
    trusted = torch.tensor([1.0, 1.0, 0.0, 1.0])
    assert float(landmark_error(mine, seen, trusted)) == 0
    assert float(landmark_error(mine, seen, torch.zeros(4))) == 0


def test_lip_reading_error_is_one_minus_the_cosine() -> None:
    video, render = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [0.0, 5.0]])
    assert float(lip_reading_error(video, render, torch.ones(2))) == pytest.approx((1 - 1 / math.sqrt(2)) / 2)


def test_emotion_error_is_the_mean_square() -> None:
    assert float(emotion_error(torch.zeros(2, 3), torch.full((2, 3), 2.0), torch.ones(2))) == 4


def test_large_corrections_cost_twice() -> None:
    coarse = torch.zeros(1, 4)
    small, large = torch.full((1, 4), 4.0), torch.full((1, 4), 5.0)
    assert float(correction_size(small, coarse)) == 32
    assert float(correction_size(large, coarse)) == 100


def test_channels_between_zero_and_one_cost_nothing() -> None:
    assert float(out_of_bounds(torch.tensor([[0.0, 0.4, 1.0]]))) == 0
    assert float(out_of_bounds(torch.tensor([[-0.5, 0.4, 2.0]]))) == pytest.approx(1.25)
