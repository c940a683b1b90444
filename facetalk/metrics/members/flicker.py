"""Flicker: mean absolute second difference over time, in the quarter of the pixels that changes least in the reference.

Without the optical flow of the temporal warping error (Lai et al. 2018), because what stands still needs none; see
`flicker.flicker_of_still_parts`.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured
from facetalk.metrics.flicker import flicker_of_still_parts


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    predicted, reference = flicker_of_still_parts(clips.images())
    return Measured({"flicker_levels": predicted, "flicker_reference_levels": reference})
