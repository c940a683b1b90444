"""Lip closure: how many of the closures on P, B and M are found, and how many closures are right.

Recall is the share of those P, B and M during which the reference's lips meet, during which the predicted lips meet
too. Precision is the share of the predicted closures during which the reference's lips meet as well. Metrics over all
frames hardly see closures, which viewers do.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured
from facetalk.metrics.closures import count_closures, rest_opening
from facetalk.metrics.landmarks import align, lip_opening


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    spoken = clips.bilabials()
    predicted, reference, unit, rest = clips.landmarks()
    gaps = [lip_opening(points) for points in (align(predicted, reference), reference)]
    opened = [gap - (rest_opening(gaps[1]) if rest is None else rest) for gap in gaps]
    num_frames = min(len(spoken), len(reference))
    counts = count_closures(spoken[:num_frames], opened[0][:num_frames], opened[1][:num_frames], unit)
    return Measured(
        {
            "closure_recall": counts["found"] / counts["true"] if counts["true"] else float("nan"),
            "closure_precision": counts["right"] / counts["ours"] if counts["ours"] else float("nan"),
        },
        {f"lip_opening_{unit}": opened[0], f"lip_opening_reference_{unit}": opened[1]},
    )
