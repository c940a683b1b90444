"""Diversity: how far takes of the same speech are apart.

2 / (N (N - 1)) sum_{i < j} d(x_i, x_j), with the mean distance d of the lip vertices, over N predictions for one
reference, as FaceDiffuser (Stan et al. 2023) compares its styles. Here each take has its mean distance from the others,
whose mean over the takes is this sum. 0 for a deterministic system.
"""

from __future__ import annotations

import torch

from facetalk.metrics.base import Evidence, Measured, NotOfferedError
from facetalk.metrics.vertices import vertex_error_mm


def measure(clips: Evidence) -> Measured:
    """See `Metric.measure`."""
    mesh, others = clips.meshes(), clips.other_takes()
    if not others:
        raise NotOfferedError("needs several takes of a clip: NAME~1, NAME~2, ... beside the reference NAME")
    lips = mesh.region("lips")
    curves = []
    for other in others:
        num_frames = min(len(other), len(mesh.predicted))
        curves.append(vertex_error_mm(mesh.predicted[:num_frames, lips], other[:num_frames, lips]).mean())
    return Measured({"diversity_mm": float(torch.stack(curves).mean())})
