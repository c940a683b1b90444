"""Jitter: how jerkily the face moves, and how steady the reference is.

`jitter_mm_s2` is the mean length of the acceleration of the 68 landmarks, `msi_s2_m` the motion stability index of
NeuFace (Youwang et al. 2023): the mean over landmarks of the inverse standard deviation of their acceleration, higher
for steadier faces. Too little jitter is over-smoothed: compare with the reference.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, NotOfferedError
from facetalk.metrics.stability import mean_second_difference, motion_stability_index


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    predicted, reference, unit, _ = clips.landmarks()
    if len(predicted) < 4:
        raise NotOfferedError(f"needs at least 4 frames; these clips have {len(predicted)} in common")
    figures = {}
    for name, points in (("", predicted), ("_reference", reference)):
        figures[f"jitter{name}_{unit}_s2"] = float(mean_second_difference(points)) * clips.fps**2
        if unit == "mm":
            figures[f"msi{name}_s2_m"] = motion_stability_index(points / 1000, clips.fps)
    return Measured(figures)
