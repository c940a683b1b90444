"""MOD, mouth opening difference: by how much the mouth is opened too far or too little.

MOD = 1/T sum_t |o(x_t) - o(y_t)|, where o is the distance between the centers of the inner lips (DiffPoseTalk, Sun et
al. 2024).
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, frame_mean
from facetalk.metrics.landmarks import align, lip_opening


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    predicted, reference, unit, _ = clips.landmarks()
    opening = lip_opening(align(predicted, reference))  # at the reference's size
    return frame_mean(f"mod_{unit}", (opening - lip_opening(reference)).abs())
