"""FVE, face vertex error: the largest error of any vertex of the skin in each frame, averaged over frames.

FVE = 1/T sum_t max_{v in skin} |x_tv - y_tv|: LVE's form over the whole face, which FaceDiffuser (Stan et al. 2023)
calls MVE. Eyes, teeth and tongue do not count.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, frame_mean
from facetalk.metrics.vertices import largest_error_mm


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    mesh = clips.meshes()
    return frame_mean("fve_mm", largest_error_mm(mesh.predicted, mesh.reference, mesh.region("skin")))
