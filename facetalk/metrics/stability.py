"""How steadily a face moves."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def motion_stability_index(landmarks: Float[Tensor, "frames points 3"], fps: float) -> float:
    """Mean over points of the inverse standard deviation of their acceleration, s2/m; higher is steadier.

    Args:
        landmarks: meters.
        fps: frames per second.

    Returns:
        The index; NaN for fewer than four frames.
    """
    if len(landmarks) < 4:
        return float("nan")
    acceleration = landmarks.double().diff(dim=0).diff(dim=0) * fps**2
    spread = acceleration.var(0).sum(-1).sqrt()
    return float((1 / spread.clamp_min(1e-9)).mean())


def mean_second_difference(points: Float[Tensor, "frames points 3"]) -> Float[Tensor, ""]:
    """Mean length of the second difference over time, in the unit of the points."""
    return points.diff(n=2, dim=0).norm(dim=-1).mean()
