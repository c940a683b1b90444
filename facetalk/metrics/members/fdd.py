"""FDD, upper-face dynamics deviation, signed: how much less the upper face moves than the reference's.

FDD = 1/|S| sum_{v in S} (dyn(y_v) - dyn(x_v)), where dyn is the standard deviation over time of |x_tv - template_v|^2
and y the reference (CodeTalker, Xing et al. 2023). Positive if the prediction moves too little.
"""

from __future__ import annotations

from facetalk.metrics.base import Evidence, Measured
from facetalk.metrics.upper_face import dynamics_difference_mm2


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    mesh = clips.meshes()
    upper_face = mesh.region("upper_face")
    return Measured({"fdd_mm2": float(dynamics_difference_mm2(mesh.predicted, mesh.reference, mesh.rest, upper_face))})
