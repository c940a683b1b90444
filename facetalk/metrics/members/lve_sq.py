"""Squared LVE: the largest squared error of a lip vertex in each frame, averaged over frames.

LVE = 1/T sum_t max_{v in lips} |x_tv - y_tv|^2, as in FaceFormer (Fan et al. 2022) and CodeTalker (Xing et al. 2023),
whose tables are in units of 1e-4 or 1e-5 m2; 1 mm2 is 1e-6 m2.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured, frame_mean
from facetalk.metrics.vertices import largest_error_mm


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    mesh = clips.meshes()
    return frame_mean("lve_mm2", largest_error_mm(mesh.predicted, mesh.reference, mesh.region("lips")).square())
