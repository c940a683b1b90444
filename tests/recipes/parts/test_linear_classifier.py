"""Logistic regression finds classes, weighs them equally, and gives a plain layer."""

from __future__ import annotations

import torch

from facetalk.recipes.parts.linear_classifier import LinearClassifier


def clouds(counts: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    classes = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    centers = torch.tensor([[0.0, 0.0, 5.0], [4.0, 0.0, 5.0], [0.0, 40.0, 5.0]])[: len(counts)]
    return centers[classes] + torch.randn(len(classes), 3, generator=generator) * torch.tensor(
        [1.0, 10.0, 0.0]
    ), classes


def test_it_finds_classes_whatever_the_units_of_the_columns() -> None:
    rows, classes = clouds((40, 40, 40))
    assert LinearClassifier.fitted(rows, classes, 3, decay=1e-3).accuracy(rows, classes) > 0.9


def test_its_layer_takes_rows_as_they_are() -> None:
    rows, classes = clouds((20, 20, 20))
    fitted = LinearClassifier.fitted(rows, classes, 3)
    weight, bias = fitted.unscaled()
    assert torch.equal((rows @ weight.T + bias).argmax(1), fitted.classify(rows))


def with_bias(classifier: LinearClassifier) -> torch.Tensor:
    """The direction across the border between two classes, and where it lies."""
    weight, bias = classifier.unscaled()
    across, offset = weight[1] - weight[0], bias[1] - bias[0]
    return torch.cat([across, offset[None]]) / across.norm()


def test_rare_classes_and_small_shares_count_as_they_should() -> None:
    rows, classes = clouds((10, 40))
    every = LinearClassifier.fitted(torch.cat([rows[:10].repeat(4, 1), rows[10:]]), (torch.arange(80) >= 40).long(), 2)
    rare = LinearClassifier.fitted(rows, classes, 2)
    shares = torch.cat([torch.full((40,), 0.25), torch.ones(40)])
    shared = LinearClassifier.fitted(
        torch.cat([rows[:10].repeat(4, 1), rows[10:]]), (torch.arange(80) >= 40).long(), 2, shares=shares
    )
    torch.testing.assert_close(shared.layer.weight, rare.layer.weight, atol=1e-3, rtol=1e-2)
    # The columns are scaled by all rows, so only the border between the classes is nearly the same.
    torch.testing.assert_close(*(with_bias(each) for each in (every, rare)), atol=0.05, rtol=0.05)


def test_more_decay_means_less_certainty() -> None:
    rows, classes = clouds((30, 30))
    certainty = []
    for decay in (1e-3, 1e-1, 10.0):
        weight, bias = LinearClassifier.fitted(rows, classes, 2, decay=decay).unscaled()
        certainty.append(float((rows @ weight.T + bias).softmax(1).amax(1).mean()))
    assert certainty[0] > certainty[1] > certainty[2] > 0.5
