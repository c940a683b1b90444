"""Distances of facial landmarks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.landmarks import IBUG_LOWER_INNER_LIP, IBUG_OUTER_EYE_CORNERS, IBUG_UPPER_INNER_LIP


class Similarity(NamedTuple):
    """Scaling, rotation and translation of the points of each frame."""

    scale: Float[Tensor, " frames"]
    rotation: Float[Tensor, "frames 3 3"]
    middle: Float[Tensor, "frames 1 3"]
    """The point that is moved to `target_middle`."""
    target_middle: Float[Tensor, "frames 1 3"]

    def apply(self, points: Float[Tensor, "frames points 3"]) -> Float[Tensor, "frames points 3"]:
        """Move points, also others than those that were aligned."""
        return self.scale[:, None, None] * ((points - self.middle) @ self.rotation.mT) + self.target_middle


def similarity(source: Float[Tensor, "frames points 3"], target: Float[Tensor, "frames points 3"]) -> Similarity:
    """Find what brings the points of each frame closest to the target (Umeyama 1991)."""
    middle, target_middle = source.mean(1, keepdim=True), target.mean(1, keepdim=True)
    centered, target_centered = source - middle, target - target_middle
    u, spread, vt = torch.linalg.svd(target_centered.mT @ centered)
    # A mirrored solution is not a rotation: flip its least important axis.
    signs = torch.ones_like(spread)
    signs[:, 2] = torch.linalg.det(u @ vt).sign()
    rotation = (u * signs[:, None]) @ vt
    size = centered.square().sum((1, 2)).clamp_min(1e-20)
    return Similarity((spread * signs).sum(1) / size, rotation, middle, target_middle)


def align(
    source: Float[Tensor, "frames points 3"], target: Float[Tensor, "frames points 3"]
) -> Float[Tensor, "frames points 3"]:
    """Align the points of each frame to the target by rotation, translation and scale."""
    return similarity(source, target).apply(source)


def landmark_distance(
    predicted: Float[Tensor, "frames 68 3"], reference: Float[Tensor, "frames 68 3"], points: tuple[int, ...]
) -> Float[Tensor, " frames"]:
    """Mean distance of some landmarks after all 68 are aligned frame by frame: LMD is its mean.

    Args:
        predicted: in any pose and size.
        reference: its size sets the scale, and its unit that of the distance.
        points: 0-based indices of the landmarks that count.
    """
    chosen = list(points)
    return (align(predicted, reference)[:, chosen] - reference[:, chosen]).norm(dim=-1).mean(1)


def lip_opening(landmarks: Float[Tensor, "frames 68 3"]) -> Float[Tensor, " frames"]:
    """Distance of the centers of the inner lips, in the unit of the landmarks."""
    upper, lower = IBUG_UPPER_INNER_LIP[1], IBUG_LOWER_INNER_LIP[1]
    return (landmarks[:, upper] - landmarks[:, lower]).norm(dim=-1)


def interocular_distance(landmarks: Float[Tensor, "frames 68 _"]) -> Float[Tensor, " frames"]:
    """Distance of the outer eye corners, in the unit of the landmarks."""
    right, left = IBUG_OUTER_EYE_CORNERS
    return (landmarks[:, right] - landmarks[:, left]).norm(dim=-1)


def landmark_error(
    predicted: Float[Tensor, "frames 68 2"], detected: Float[Tensor, "frames 68 2"]
) -> Float[Tensor, " frames"]:
    """Mean distance of the 68 landmarks in the image, in interocular units of the detected ones."""
    unit = interocular_distance(detected).clamp_min(1e-6)
    return (predicted - detected).norm(dim=-1).mean(1) / unit
