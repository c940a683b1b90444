"""Losses of SPECTRE (Filntisis et al. 2022): perceptual differences of render and video, and landmarks."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import (
    IBUG_JAW_ANGLES,
    IBUG_MOUTH_SHAPE_PAIRS,
    IBUG_MOUTH_SLICE,
    IBUG_NOSE,
    IBUG_NOSE_TIP_AND_NOSTRILS,
    NUM_IBUG,
)

INNER = 2
"""Frames at both ends of a clip that no loss uses, because the convolution over time sees padding there."""


def inner(rows: Float[Tensor, "frames *width"]) -> Float[Tensor, "inner *width"]:
    """The frames that losses use."""
    return rows[INNER:-INNER]


def landmark_weights() -> Float[Tensor, "68"]:
    """Weight of each landmark; 0 for the mouth, whose distances have a loss of their own."""
    weights = torch.ones(NUM_IBUG)
    weights[list(IBUG_JAW_ANGLES)] = 2.0
    weights[list(IBUG_NOSE)] = 1.5
    weights[list(IBUG_NOSE_TIP_AND_NOSTRILS)] = 3.0
    weights[IBUG_MOUTH_SLICE] = 0.0
    return weights


def landmark_error(
    predicted: Float[Tensor, "frames 68 2"], detected: Float[Tensor, "frames 68 2"], trusted: Float[Tensor, " frames"]
) -> Float[Tensor, ""]:
    """Weighted mean of absolute differences, in units of the landmarks."""
    weights = landmark_weights().to(predicted)
    per_frame = ((predicted - detected).abs().sum(-1) * weights).sum(-1) / (2 * weights.sum())
    return _trusted_mean(per_frame, trusted)


def relative_error(
    predicted: Float[Tensor, "frames 68 2"], detected: Float[Tensor, "frames 68 2"], trusted: Float[Tensor, " frames"]
) -> Float[Tensor, ""]:
    """Mean absolute difference of the mouth's distances, in units of the landmarks."""
    return _trusted_mean((mouth_distances(predicted) - mouth_distances(detected)).abs().mean(-1), trusted)


def mouth_distances(landmarks: Float[Tensor, "frames 68 2"]) -> Float[Tensor, "frames 7"]:
    """Lengths of `IBUG_MOUTH_SHAPE_PAIRS`."""
    first, second = (list(side) for side in zip(*IBUG_MOUTH_SHAPE_PAIRS, strict=True))
    apart = landmarks[:, first] - landmarks[:, second]
    return (apart.square().sum(-1) + 1e-10).sqrt()


def lip_reading_error(
    video: Float[Tensor, "frames features"], render: Float[Tensor, "frames features"], trusted: Float[Tensor, " frames"]
) -> Float[Tensor, ""]:
    """Mean cosine distance of a lip reader's features of video and render."""
    return _trusted_mean(1 - torch.nn.functional.cosine_similarity(video, render, dim=-1), trusted)


def emotion_error(
    video: Float[Tensor, "frames features"], render: Float[Tensor, "frames features"], trusted: Float[Tensor, " frames"]
) -> Float[Tensor, ""]:
    """Mean squared difference of an expression network's features of video and render."""
    return _trusted_mean((video - render).square().mean(-1), trusted)


def correction_size(
    expression: Float[Tensor, "frames n_expression"], coarse: Float[Tensor, "frames n_expression"]
) -> Float[Tensor, ""]:
    """Half the squared correction, summed over channels, mean over frames; frames with 40 or more count twice."""
    size = (expression - coarse).square().sum(-1) / 2
    return (torch.where(size < 40, 1.0, 2.0) * size).mean()


def out_of_bounds(expression: Float[Tensor, "frames n_expression"]) -> Float[Tensor, ""]:
    """Squared distance of the channels from [0, 1], summed over channels."""
    return (expression - expression.clamp(0, 1)).square().sum(-1).mean()


def _trusted_mean(values: Float[Tensor, " frames"], trusted: Float[Tensor, " frames"]) -> Float[Tensor, ""]:
    return (values * trusted).sum() / trusted.sum().clamp_min(1.0)
