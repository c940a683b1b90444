"""Losses between a motion and its target, channel by channel."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SSIM_SIZE = 11
SSIM_SIGMA = 1.5


def weighted_mean(
    error: Float[Tensor, "batch frames *width"], weight: Float[Tensor, "batch frames"]
) -> Float[Tensor, ""]:
    """Mean over frames with weights, and over all other axes."""
    per_frame = error.flatten(2).mean(2) if error.ndim > 2 else error
    return (per_frame * weight).sum() / weight.sum().clamp_min(1e-8)


def absolute_error(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    weight: Float[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Mean absolute difference."""
    return weighted_mean((predicted - target).abs(), weight)


def velocity_error(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    weight: Float[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Mean absolute difference of the changes from frame to frame."""
    change = predicted.diff(dim=1) - target.diff(dim=1)
    return weighted_mean(change.abs(), torch.minimum(weight[:, 1:], weight[:, :-1]))


def dissimilarity(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    weight: Float[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """1 - SSIM of two maps of time x channels (Wang et al. 2004), with a Gaussian window of 11 x 11 and sigma 1.5.

    The dynamic range is that of the targets of the batch, and their lowest value counts as 0: SSIM compares brightness
    too, which is not defined below zero. Frames of weight zero count as equal.
    """
    counted = (weight > 0)[..., None]
    size = (target.max() - target.min()).clamp_min(1e-6)
    predicted = torch.where(counted, predicted - target.min(), 0.0)
    target = torch.where(counted, target - target.min(), 0.0)
    c1, c2 = (0.01 * size) ** 2, (0.03 * size) ** 2
    stacked = torch.stack([predicted, target, predicted**2, target**2, predicted * target], 1)
    mean_p, mean_t, square_p, square_t, product = _blur(stacked).unbind(1)
    variances = square_p - mean_p**2 + square_t - mean_t**2
    covariance = product - mean_p * mean_t
    similarity = (2 * mean_p * mean_t + c1) * (2 * covariance + c2)
    ssim = similarity / ((mean_p**2 + mean_t**2 + c1) * (variances + c2))
    return weighted_mean(1 - ssim, weight)


def reconstruction_error(
    predicted: Float[Tensor, "batch frames channels"],
    target: Float[Tensor, "batch frames channels"],
    weight: Float[Tensor, "batch frames"],
    share: float = 0.1,
) -> Float[Tensor, ""]:
    """Reconstruction loss of StyleTalk (Ma et al. 2023): `share` of absolute error, the rest dissimilarity."""
    absolute = absolute_error(predicted, target, weight)
    return share * absolute + (1 - share) * dissimilarity(predicted, target, weight)


def decorrelation(
    predicted: Float[Tensor, "batch frames curves"],
    target: Float[Tensor, "batch frames curves"],
    weight: Float[Tensor, "batch frames"],
    floor: float,
) -> Float[Tensor, ""]:
    """1 - Pearson's correlation over time, mean over clips and curves; the amplitude does not matter.

    Args:
        predicted: curves over time.
        target: the true curves.
        weight: of each frame.
        floor: lower bound on standard deviations, in the unit of the curves.
    """
    centered, true = centered_over_time(predicted, weight), centered_over_time(target, weight)
    total = weight.sum(1).clamp_min(1e-8)[:, None]

    def covariance(a: Tensor, b: Tensor) -> Tensor:
        return (a * b * weight[..., None]).sum(1) / total

    scale = covariance(centered, centered).clamp_min(floor**2) * covariance(true, true).clamp_min(floor**2)
    return _mean_over_clips(1 - covariance(centered, true) / scale.sqrt(), weight)


def spread_error(
    predicted: Float[Tensor, "batch frames curves"],
    target: Float[Tensor, "batch frames curves"],
    weight: Float[Tensor, "batch frames"],
    floor: float,
) -> Float[Tensor, ""]:
    """Squared difference of the logarithms of both standard deviations over time, per clip and curve.

    A regression that cannot predict everything shrinks towards the mean; this loss restores the amplitude.

    Args:
        predicted: curves over time.
        target: the true curves.
        weight: of each frame.
        floor: lower bound on standard deviations, in the unit of the curves.
    """
    total = weight.sum(1).clamp_min(1e-8)[:, None]

    def log_spread(curves: Tensor) -> Tensor:
        variance = (centered_over_time(curves, weight).square() * weight[..., None]).sum(1) / total
        return 0.5 * (variance + floor**2).log()

    return _mean_over_clips((log_spread(predicted) - log_spread(target)).square(), weight)


def centered_over_time(
    curves: Float[Tensor, "batch frames curves"], weight: Float[Tensor, "batch frames"]
) -> Float[Tensor, "batch frames curves"]:
    """Curves minus their weighted mean over time."""
    total = weight.sum(1).clamp_min(1e-8)[:, None]
    return curves - ((curves * weight[..., None]).sum(1) / total)[:, None]


def _mean_over_clips(values: Float[Tensor, "batch curves"], weight: Tensor) -> Float[Tensor, ""]:
    """Mean over curves, and over clips weighted by the number of trusted frames."""
    clip_weight = weight.mean(1)
    return (values.mean(1) * clip_weight).sum() / clip_weight.sum().clamp_min(1e-8)


def _blur(images: Float[Tensor, "batch maps height width"]) -> Float[Tensor, "batch maps height width"]:
    """Convolution with the Gaussian window of SSIM; the border is replicated."""
    offsets = torch.arange(SSIM_SIZE, device=images.device, dtype=images.dtype) - SSIM_SIZE // 2
    kernel = torch.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    kernel = kernel / kernel.sum()
    margin = SSIM_SIZE // 2
    flat = functional.pad(images.flatten(0, 1)[:, None], [margin] * 4, mode="replicate")
    blurred = functional.conv2d(functional.conv2d(flat, kernel[None, None, :, None]), kernel[None, None, None, :])
    return blurred.reshape(images.shape)
