from __future__ import annotations

import pytest
import torch

from facetalk.losses.critics import hinge_error, match_error, sync_error, triplet_error


def test_sync_error_is_the_mean_of_minus_log_over_weighted_frames() -> None:
    similarity = torch.tensor([[0.5, 1.0, 0.0]])
    assert sync_error(similarity, torch.tensor([[1.0, 1.0, 0.0]])) == pytest.approx(0.3466, abs=1e-4)
    assert sync_error(similarity, torch.zeros(1, 3)) == 0


def test_match_error_is_binary_cross_entropy() -> None:
    similarity, matching = torch.tensor([0.9, 0.2, 0.6]), torch.tensor([1.0, 0.0, 0.0])
    wanted = torch.nn.functional.binary_cross_entropy(similarity, matching)
    torch.testing.assert_close(match_error(similarity, matching), wanted)


def test_the_hinge_is_satisfied_by_a_margin_of_one_on_both_sides() -> None:
    assert hinge_error(torch.full((2, 3), 1.5), torch.full((2, 3), -1.0)) == 0
    assert hinge_error(torch.zeros(2, 3), torch.zeros(2, 3)) == 2


def test_the_triplet_compares_with_the_nearest_code_of_another_style() -> None:
    codes = torch.tensor([[0.0, 0.0], [3.0, 0.0], [9.0, 0.0]])
    same = torch.tensor([[1.0, 0.0], [4.0, 0.0], [9.0, 0.0]])
    # row 0: 1 - 4 + 5, row 1: 1 - 2 + 5, row 2: 0 - 5 + 5
    assert triplet_error(codes, same, ["a", "b", "c"], 5.0) == pytest.approx((2 + 4 + 0) / 3)
    assert triplet_error(codes, same, ["a", "a", "a"], 5.0) == 0
    # of two styles: 1 - 9 + 6, 1 - 6 + 6, 0 - 5 + 6
    assert triplet_error(codes, same, ["a", "a", "b"], 6.0) == pytest.approx((0 + 1 + 1) / 3)
