"""Jitter: how jerkily the face moves, and how jerky the reference is.

The mean length of the acceleration of the 68 landmarks over time, without the motion of the head. NeuFace's motion
stability index (Youwang et al. 2023) is the inverse of its spread; landmarks that speech does not move would make that
infinite. Less than the reference is over-smoothed, more is noise.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, NotOfferedError
from facetalk.metrics.stability import mean_second_difference


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    predicted, reference, unit, _ = clips.landmarks()
    if len(predicted) < 3:
        raise NotOfferedError(f"needs at least 3 frames; these clips have {len(predicted)} in common")
    ours, theirs = (float(mean_second_difference(points)) * clips.fps**2 for points in (predicted, reference))
    return Measured({f"jitter_{unit}_s2": ours, f"jitter_reference_{unit}_s2": theirs})
