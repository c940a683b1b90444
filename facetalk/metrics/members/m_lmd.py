"""M-LMD, mouth landmark distance: mean distance of the 20 mouth landmarks after a similarity alignment of all 68.

M-LMD = 1/(20 T) sum_t sum_{i in mouth} |s R x_ti + t - y_ti|, with the similarity that brings the 68 landmarks of each
frame closest (Chen et al. 2018; as M-LMD in StyleTalk, Ma et al. 2023, in pixels of 256 x 256 images).
"""

from __future__ import annotations

from facetalk.core.landmarks import IBUG_MOUTH
from facetalk.metrics.base import Evidence, Measured, frame_mean
from facetalk.metrics.landmarks import landmark_distance


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    predicted, reference, unit, _ = clips.landmarks()
    return frame_mean(f"m_lmd_{unit}", landmark_distance(predicted, reference, IBUG_MOUTH))
