"""Losses of generated images: features of fixed networks and of critics, colors, and edges."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Layers = Sequence[Tensor]
"""Features of one network, (batch, width, height, columns) for each layer."""


def feature_error(generated: Layers, real: Layers, weights: Sequence[float] | None = None) -> Float[Tensor, ""]:
    """Weighted sum over layers of the mean absolute difference of features (Johnson et al. 2016; pix2pixHD, eq. 4).

    Args:
        generated: features of generated images.
        real: features of real images; no gradient reaches them.
        weights: of the layers; the mean over layers if not given.
    """
    weights = [1 / len(real)] * len(real) if weights is None else weights
    errors = [(a - b.detach()).abs().mean() for a, b in zip(generated, real, strict=True)]
    return torch.stack([weight * error for weight, error in zip(weights, errors, strict=True)]).sum()


def matching_error(generated: Sequence[Layers], real: Sequence[Layers]) -> Float[Tensor, ""]:
    """Mean over the scales of a critic of `feature_error` of its layers; the last layer, its scores, does not count.

    Args:
        generated: features of generated images at each scale, as `MultiScaleCritic` returns them.
        real: features of real images.
    """
    errors = [feature_error(a[:-1], b[:-1]) for a, b in zip(generated, real, strict=True)]
    return torch.stack(errors).mean()


def realism_error(scales: Sequence[Layers], wanted: float) -> Float[Tensor, ""]:
    """Mean over scales of the squared distance of a critic's scores from the wanted ones (Mao et al. 2017)."""
    return torch.stack([(layers[-1] - wanted).square().mean() for layers in scales]).mean()


def absolute_error(
    generated: Float[Tensor, "batch 3 height columns"], real: Float[Tensor, "batch 3 height columns"]
) -> Float[Tensor, ""]:
    """Mean absolute difference of images."""
    return (generated - real).abs().mean()


def weighted_error(
    generated: Float[Tensor, "batch 3 height columns"],
    real: Float[Tensor, "batch 3 height columns"],
    weight: Float[Tensor, "batch 1 height columns"],
) -> Float[Tensor, ""]:
    """Mean absolute difference of images whose pixels count as much as their weight says."""
    return ((generated - real).abs() * weight).sum() / (3 * weight.sum()).clamp_min(1e-8)


def edge_error(
    generated: Float[Tensor, "batch 3 height columns"],
    real: Float[Tensor, "batch 3 height columns"],
    weight: Float[Tensor, "batch 1 height columns"],
) -> Float[Tensor, ""]:
    """`weighted_error` of the differences between neighbors in columns and in rows: what blur has too little of."""
    apart = generated - real
    errors = []
    for axis in (2, 3):
        steps = apart.diff(dim=axis)
        errors.append(weighted_error(steps, torch.zeros_like(steps), weight.narrow(axis, 1, steps.shape[axis])))
    return torch.stack(errors).sum()
