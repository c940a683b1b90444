"""Distances of vertices."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

MM_PER_M = 1000.0


def vertex_error_mm(
    predicted: Float[Tensor, "frames vertices 3"], reference: Float[Tensor, "frames vertices 3"]
) -> Float[Tensor, "frames vertices"]:
    """Distance of each vertex from its place in the reference; both in meters, in the frame of the head."""
    return MM_PER_M * (predicted - reference).norm(dim=-1)


def largest_error_mm(
    predicted: Float[Tensor, "frames vertices 3"],
    reference: Float[Tensor, "frames vertices 3"],
    members: Int[Tensor, " members"],
) -> Float[Tensor, " frames"]:
    """Largest error among some vertices of each frame; over the lips, LVE is its mean."""
    return vertex_error_mm(predicted[:, members], reference[:, members]).amax(1)


def mean_error_mm(
    predicted: Float[Tensor, "frames vertices 3"], reference: Float[Tensor, "frames vertices 3"]
) -> Float[Tensor, " frames"]:
    """Mean error of all vertices of each frame: MVE is its mean."""
    return vertex_error_mm(predicted, reference).mean(1)
