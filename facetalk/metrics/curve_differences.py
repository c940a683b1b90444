"""Where and by how much two curves differ."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from facetalk.core.spans import runs

MERGED_S = 0.25
"""Spans with shorter pauses between them are one."""
MOST_SPANS = 100


@dataclass(frozen=True)
class CurveDifference:
    """How two curves of the same name differ."""

    name: str
    unit: str
    """`weight`, `deg` or `mm`."""
    largest: float
    at_s: float
    """Time of the largest difference, seconds."""
    rms: float
    spans: tuple[tuple[float, float], ...]
    """Seconds between which the difference exceeds the limit; at most `MOST_SPANS`, the first ones."""
    limit: float

    @property
    def exceeds(self) -> bool:
        """Whether the difference exceeds the limit anywhere."""
        return self.largest > self.limit


def curve_difference(
    name: str, unit: str, difference: Float[Tensor, " frames"], fps: float, limit: float
) -> CurveDifference:
    """Describe a difference over time.

    Args:
        name: of the curve.
        unit: of the difference.
        difference: its size in each frame.
        fps: frame rate.
        limit: what is allowed, in the unit.
    """
    at = int(difference.argmax())
    beyond = difference > limit
    joined: list[tuple[int, int]] = []
    for span in runs(beyond):
        if joined and span.start - joined[-1][1] < MERGED_S * fps:
            joined[-1] = joined[-1][0], span.stop
        else:
            joined.append((span.start, span.stop))
    return CurveDifference(
        name=name,
        unit=unit,
        largest=float(difference[at]),
        at_s=at / fps,
        rms=float(difference.square().mean().sqrt()),
        spans=tuple((start / fps, stop / fps) for start, stop in joined[:MOST_SPANS]),
        limit=limit,
    )


def angles_between(first: Float[Tensor, "frames 3"], second: Float[Tensor, "frames 3"]) -> Float[Tensor, " frames"]:
    """Angle of the rotation that leads from one to the other, degrees."""
    between = axis_angle_to_matrix(first).transpose(1, 2) @ axis_angle_to_matrix(second)
    angle = matrix_to_axis_angle(between).norm(dim=1).rad2deg()
    return torch.where((first == second).all(1), 0.0, angle)  # without the rounding of the matrices
