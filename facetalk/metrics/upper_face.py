"""How much the upper face moves."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from facetalk.metrics.vertices import MM_PER_M


def dynamics_mm2(
    vertices: Float[Tensor, "frames vertices 3"],
    template: Float[Tensor, "vertices 3"],
    upper_face: Int[Tensor, " members"],
) -> Float[Tensor, ""]:
    """Movement of the upper face over a clip.

    Args:
        vertices: meters, in the frame of the head.
        template: the same identity at rest.
        upper_face: vertices of forehead, brows and eye region.

    Returns:
        Mean over the vertices of the temporal standard deviation of their squared displacement from rest.
    """
    squared = (MM_PER_M * (vertices - template)[:, upper_face]).square().sum(-1)
    return squared.std(0, correction=0).mean()


def dynamics_difference_mm2(
    predicted: Float[Tensor, "frames vertices 3"],
    reference: Float[Tensor, "frames vertices 3"],
    template: Float[Tensor, "vertices 3"],
    upper_face: Int[Tensor, " members"],
) -> Float[Tensor, ""]:
    """FDD: dynamics of the reference minus those of the prediction; positive if the prediction moves too little."""
    return dynamics_mm2(reference, template, upper_face) - dynamics_mm2(predicted, template, upper_face)
