"""Blink: how often and how long the lids close, and how far the distributions are from the reference's.

Rate (per second) and mean duration and interval (seconds) of both clips, and the Wasserstein distances of the durations
and of the intervals. Natural rates are 0.28 a second at rest and 0.43 in conversation (Bentivoglio et al. 1997).
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured
from facetalk.metrics.blinks import Blinks, find_blinks
from facetalk.metrics.distributions import wasserstein


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    curves = clips.lid_closures()
    ours, theirs = (find_blinks(closure, clips.fps) for closure in curves)
    distances = {
        "blink_duration_distance_s": wasserstein(ours.durations, theirs.durations),
        "blink_interval_distance_s": wasserstein(ours.intervals, theirs.intervals),
    }
    return Measured(
        _figures("blink", ours) | _figures("blink_reference", theirs) | distances,
        {"lid_closure": curves.predicted, "lid_closure_reference": curves.reference},
    )


def _figures(name: str, blinks: Blinks) -> dict[str, float]:
    durations, intervals = (float(values.mean()) for values in (blinks.durations, blinks.intervals))  # NaN for none
    return {f"{name}_rate_hz": blinks.rate, f"{name}_duration_s": durations, f"{name}_interval_s": intervals}
