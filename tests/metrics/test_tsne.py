from __future__ import annotations

import math

import torch

from facetalk.metrics.tsne import gradient, similarity, tsne


def clusters(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    centers = 6 * torch.randn(3, 10, generator=generator)
    group = torch.arange(45) % 3
    return centers[group] + torch.randn(45, 10, generator=generator), group


def test_every_neighborhood_has_the_wanted_entropy() -> None:
    points = clusters()[0].double()
    squares = torch.cdist(points, points).square().fill_diagonal_(torch.inf)
    joint = similarity(points, 7.0)
    assert abs(joint.sum().item() - 1) < 1e-6
    # The slow way, for one point: search the width of its Gaussian by trying many.
    row = squares[3]
    entropies = []
    for precision in torch.logspace(-4, 2, 20_000, dtype=torch.float64):
        shares = (-row * precision).softmax(0)
        entropies.append((-(shares * shares.clamp_min(1e-300).log()).sum() - math.log(7.0)).abs())
    best = torch.logspace(-4, 2, 20_000, dtype=torch.float64)[int(torch.stack(entropies).argmin())]
    mine = (-row * best).softmax(0)
    others = joint[3] * 2 * len(points)
    assert (others >= mine * 0.99 - 1e-9).all()  # a pair's similarity is the sum of both points' shares


def test_the_gradient_is_that_of_the_divergence() -> None:
    wanted = similarity(clusters()[0].double(), 7.0)
    place = torch.randn(45, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    near = 1 / (1 + (place[:, None] - place).square().sum(-1))
    near = near * (1 - torch.eye(45, dtype=torch.float64))
    found = (near / near.sum()).clamp_min(1e-12)
    (wanted * (wanted.log() - found.log())).sum().backward()
    torch.testing.assert_close(gradient(place.detach(), wanted), place.grad, atol=1e-6, rtol=1e-4)


def test_clusters_stay_together_on_the_map() -> None:
    points, group = clusters()
    places = tsne(points, perplexity=7.0, num_steps=250)
    nearest = torch.cdist(places, places).fill_diagonal_(torch.inf).argmin(1)
    assert (group[nearest] == group).float().mean() > 0.95
    torch.testing.assert_close(tsne(points, perplexity=7.0, num_steps=250), places)


def test_two_points_have_a_map() -> None:
    assert torch.isfinite(tsne(torch.eye(2), num_steps=20)).all()
