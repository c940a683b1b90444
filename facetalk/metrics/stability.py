"""How steadily a face moves (METHODS 2.6)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def motion_stability_index(landmarks: Float[Tensor, "frames points 3"], fps: float) -> float:
    """Mean over points of one over the spread of their acceleration, s2/m; large is steady. NaN under four frames.

    Args:
        landmarks: metres.
        fps: frames a second.
    """
    if len(landmarks) < 4:
        return float("nan")
    acceleration = landmarks.double().diff(dim=0).diff(dim=0) * fps**2
    spread = acceleration.var(0).sum(-1).sqrt()
    return float((1 / spread.clamp_min(1e-9)).mean())
