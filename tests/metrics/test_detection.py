import pytest
import torch

from facetalk.metrics.detection import roc_auc


def test_it_is_the_share_of_pairs_in_the_right_order() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 8, (60,), generator=generator).float()
    positive = torch.rand(60, generator=generator) > 0.6
    pairs = scores[positive][:, None] - scores[~positive][None]
    slow = (pairs > 0).double().mean() + 0.5 * (pairs == 0).double().mean()
    assert roc_auc(scores, positive) == pytest.approx(float(slow))


def test_perfect_reversed_and_blind_scores() -> None:
    truth = torch.tensor([False, False, True, True])
    assert roc_auc(torch.tensor([0.1, 0.2, 0.3, 0.4]), truth) == 1
    assert roc_auc(torch.tensor([0.4, 0.3, 0.2, 0.1]), truth) == 0
    assert roc_auc(torch.ones(4), truth) == 0.5


def test_one_class_alone_is_an_error() -> None:
    with pytest.raises(ValueError, match="both are needed"):
        roc_auc(torch.ones(3), torch.ones(3, dtype=torch.bool))
