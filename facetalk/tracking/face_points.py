"""Weights of the points of MediaPipe's face mesh, and of distances between them."""

from __future__ import annotations

from facetalk.core import landmarks as points
from facetalk.core.landmarks import Pairs

POINT_WEIGHTS: tuple[tuple[tuple[int, ...], float], ...] = (
    (points.MESH_SILHOUETTE, 0.35),
    (points.MESH_TEMPLES, 0.15),
    (points.MESH_NOSE, 1.5),
    (points.MESH_BROWS, 2.5),
    (points.MESH_RIGHT_LIDS + points.MESH_LEFT_LIDS, 2.5),
    (points.MESH_RED_OF_LIPS, 1.5),
    (points.MESH_OUTER_LIPS, 4.0),
    (points.MESH_INNER_LIPS, 4.0),
)
"""Squared-error weight of point groups, later rows override earlier ones; other skin points have 1.

The outline slides along the silhouette when the head turns, and temples lie under hair.
"""
DEFAULT_WEIGHT = 1.0

PAIRS: tuple[tuple[Pairs, float], ...] = (
    (points.MESH_LIP_GAPS, 12.0),
    (points.MESH_LIP_SHAPE_PAIRS, 4.0),
    (points.MESH_LID_GAPS, 12.0),
    (points.MESH_BROW_GAPS, 3.0),
    (points.MESH_JAW_GAPS, 3.0),
)
"""Pairs of points whose distance vector is compared as well, with its weight.

Closed lips and lids are closed whatever the error of their position.
"""
