"""MVE, mean vertex error: the mean error over all vertices and frames.

MVE = 1/(T V) sum_t sum_v |x_tv - y_tv|. FaceDiffuser (Stan et al. 2023) takes the largest error of each frame instead,
which is `fve` here.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, frame_mean
from facetalk.metrics.vertices import mean_error_mm


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    mesh = clips.meshes()
    return frame_mean("mve_mm", mean_error_mm(mesh.predicted, mesh.reference))
