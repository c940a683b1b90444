"""Distances of vertices, of the lips and of the whole face."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

MM_PER_M = 1000.0


def vertex_error_mm(
    predicted: Float[Tensor, "frames vertices 3"], reference: Float[Tensor, "frames vertices 3"]
) -> Float[Tensor, "frames vertices"]:
    """Distance of each vertex from its place in the reference; both in meters, in the frame of the head."""
    return MM_PER_M * (predicted - reference).norm(dim=-1)


def lip_vertex_error_mm(
    predicted: Float[Tensor, "frames vertices 3"],
    reference: Float[Tensor, "frames vertices 3"],
    lips: Int[Tensor, " members"],
) -> Float[Tensor, " frames"]:
    """Largest error among the lip vertices of each frame: LVE is its mean (EmoTalk's form)."""
    return vertex_error_mm(predicted[:, lips], reference[:, lips]).amax(1)


def lip_vertex_error_mm2(
    predicted: Float[Tensor, "frames vertices 3"],
    reference: Float[Tensor, "frames vertices 3"],
    lips: Int[Tensor, " members"],
) -> Float[Tensor, " frames"]:
    """Largest squared error among the lip vertices of each frame: its mean is the LVE of FaceFormer and CodeTalker.

    Their tables are in square meters: one square millimeter is 1e-6 of them.
    """
    return lip_vertex_error_mm(predicted, reference, lips).square()


def mean_vertex_error_mm(
    predicted: Float[Tensor, "frames vertices 3"], reference: Float[Tensor, "frames vertices 3"]
) -> Float[Tensor, " frames"]:
    """Mean error of all vertices of each frame: MVE is its mean."""
    return vertex_error_mm(predicted, reference).mean(1)
