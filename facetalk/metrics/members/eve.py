"""EVE, emotional vertex error: the largest error of a vertex of eyes and forehead, averaged over frames.

EVE = 1/T sum_t max_{v in upper face} |x_tv - y_tv|, as in EmoTalk (Peng et al. 2023).
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, frame_mean
from facetalk.metrics.vertices import largest_error_mm


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    mesh = clips.meshes()
    return frame_mean("eve_mm", largest_error_mm(mesh.predicted, mesh.reference, mesh.region("upper_face")))
