"""Exact t-SNE: a map of high-dimensional points that keeps neighbors together (van der Maaten and Hinton 2008)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

_EXAGGERATION = 12.0
_EXAGGERATED_STEPS = 100
_HALVINGS = 60


def tsne(
    points: Float[Tensor, "points width"], *, perplexity: float = 20.0, num_steps: int = 500, seed: int = 0
) -> Float[Tensor, "points 2"]:
    """Positions in the plane. Memory and time grow with the square of the number of points: use it for a few thousand.

    Args:
        points: at least two; standardize the columns first.
        perplexity: effective number of neighbors of a point; reduced for few points.
        num_steps: steps of gradient descent.
        seed: of the initial positions.
    """
    if len(points) < 2:
        raise ValueError(f"a map needs at least two points, not {len(points)}")
    perplexity = min(perplexity, (len(points) - 1) / 3 + 1)
    wanted = similarity(points.double(), perplexity)
    generator = torch.Generator().manual_seed(seed)
    place = 1e-4 * torch.randn(len(points), 2, generator=generator, dtype=torch.float64)
    moved = torch.zeros_like(place)
    gain = torch.ones_like(place)
    step = max(len(points) / _EXAGGERATION / 4, 5.0)  # Belkina et al. 2019
    for index in range(num_steps):
        early = index < _EXAGGERATED_STEPS
        slope = gradient(place, wanted * (_EXAGGERATION if early else 1.0))
        gain = torch.where(slope.sign() == moved.sign(), 0.8 * gain, gain + 0.2).clamp_min(0.01)
        moved = (0.5 if early else 0.8) * moved - step * gain * slope
        place = place + moved
        place = place - place.mean(0)
    return place.float()


def similarity(points: Float[Tensor, "points width"], perplexity: float) -> Float[Tensor, "points points"]:
    """Joint probability of each pair of points: symmetric, sums to 1.

    The width of the Gaussian around each point is chosen such that its entropy is the logarithm of the perplexity.
    """
    squares = torch.cdist(points, points).square()
    squares.fill_diagonal_(torch.inf)
    squares = squares - squares.amin(1, keepdim=True)
    low, high = points.new_full((len(points), 1), -60.0), points.new_full((len(points), 1), 60.0)
    shares = (-squares).softmax(1)
    for _ in range(_HALVINGS):  # of the interval of log precision
        middle = (low + high) / 2
        shares = (-squares * middle.exp()).softmax(1)
        entropy = -(shares * shares.clamp_min(1e-300).log()).sum(1, keepdim=True)
        wide = entropy > math.log(perplexity)
        low, high = torch.where(wide, middle, low), torch.where(wide, high, middle)
    joint = (shares + shares.T) / (2 * len(points))
    return joint.clamp_min(1e-12)


def gradient(place: Float[Tensor, "points 2"], wanted: Float[Tensor, "points points"]) -> Float[Tensor, "points 2"]:
    """Gradient of the Kullback-Leibler divergence of the map's similarities from the wanted ones."""
    near = 1 / (1 + torch.cdist(place, place).square())
    near.fill_diagonal_(0)
    found = (near / near.sum()).clamp_min(1e-12)
    pull = 4 * (wanted - found) * near
    pull.fill_diagonal_(0)
    return pull.sum(1, keepdim=True) * place - pull @ place
