"""F-LMD, face landmark distance: mean distance of the 68 landmarks after a similarity alignment of each frame.

As `m_lmd`, over all landmarks (StyleTalk, Ma et al. 2023).
"""

from __future__ import annotations

from facetalk.core.landmarks import NUM_IBUG
from facetalk.metrics.base import Evidence, Measured, frame_mean
from facetalk.metrics.landmarks import landmark_distance


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    predicted, reference, unit, _ = clips.landmarks()
    return frame_mean(f"f_lmd_{unit}", landmark_distance(predicted, reference, tuple(range(NUM_IBUG))))
