"""Absolute FDD: the absolute value of `fdd` of each clip.

Over many clips, too much movement in some and too little in others cancel in the mean of `fdd` and do not cancel here.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured
from facetalk.metrics.members import fdd


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    return Measured({"fdd_abs_mm2": abs(fdd.measure(clips).figures["fdd_mm2"])})
