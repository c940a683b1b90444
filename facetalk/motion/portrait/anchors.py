"""How far the points of a photo lie from those of the fitted head, continued over the whole mesh.

A fit leaves lips and lids a few pixels off. What moves the pixels of a photo must begin where its lips and lids are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.spatial import KDTree
from torch import Tensor

from facetalk.core.landmarks import MESH_LID_GAPS, MESH_LIP_GAPS, Pairs
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel

_NEIGHBORS = 6
_REACH_M = 0.006
"""Standard deviation of the weights of neighboring points."""
_FADE_M = 0.04
"""Distance from the nearest point over which a displacement fades."""
_NEAR_M = 0.012
"""Distance from a point up to which a vertex belongs to the face."""
_OPEN = 0.6
"""`jawOpen` of the face on which distances are measured: on a closed mouth the lips would be neighbors."""
_SLITS: tuple[tuple[Pairs, float], ...] = (
    (MESH_LIP_GAPS, 0.001),
    (MESH_LID_GAPS[:5], 0.003),
    (MESH_LID_GAPS[5:], 0.003),
)
"""Opposite points of the mouth, the right and the left eye, and meters from which on they count as open."""


class Anchors:
    """Spreads displacements of MediaPipe's points over the vertices of a head."""

    def __init__(self, head: HeadModel) -> None:
        self._numbers = head.points.mediapipe_ids
        self._points, self._bias = head.points.mediapipe, head.points.detector_bias
        opening, *blinks = (
            head.expression_dirs[ARKIT_NAMES.index(name)] for name in ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight")
        )
        self._open = self._spread_on(head.template + _OPEN * opening)
        self._closed = self._spread_on(head.template + sum(blinks))
        self.nearness = (self._open.distance < _NEAR_M).float()
        """1 for vertices near one of the points, 0 for the others."""
        self._row_of = places = {number: row for row, number in enumerate(self._numbers.tolist())}
        self._slits = [torch.tensor([[places[a], places[b]] for a, b in pairs]).T for pairs, _ in _SLITS]
        points = self._points.on(head.template)
        middles = torch.stack([points[rows.flatten()].mean(0) for rows in self._slits])
        self._nearest_slit = torch.cdist(head.template, middles).argmin(1)

    def _spread_on(self, face: Float[Tensor, "vertices 3"]) -> _Spread:
        """Weights by the distances on a face."""
        distance, rows = KDTree(self._points.on(face).numpy()).query(face.numpy(), _NEIGHBORS)
        near = np.exp(-0.5 * ((distance**2 - distance[:, :1] ** 2) / _REACH_M**2))
        weights = near / near.sum(1, keepdims=True) * np.exp(-((distance[:, :1] / _FADE_M) ** 2))
        return _Spread(*(torch.from_numpy(part) for part in (rows, weights.astype(np.float32), distance[:, 0])))

    def points_on(self, vertices: Float[Tensor, "vertices 3"], numbers: Sequence[int]) -> Float[Tensor, "points 3"]:
        """Some of MediaPipe's points on a mesh."""
        return self._points.on(vertices)[[self._row_of[number] for number in numbers]]

    def gaps(self, local: Float[Tensor, "vertices 3"]) -> Float[Tensor, " slits"]:
        """Mean distance of the lips, and of the lids of the right and the left eye, meters."""
        points = self._points.on(local)
        return torch.stack([(points[upper] - points[lower]).norm(dim=1).mean() for upper, lower in self._slits])

    def closure(
        self, local: Float[Tensor, "vertices 3"], usual: Float[Tensor, " slits"]
    ) -> Float[Tensor, "vertices 1"]:
        """How far the slit next to each vertex is closed: 0 as usual or more open, 1 closed.

        Args:
            local: vertices before the head is turned and moved.
            usual: see `gaps`.
        """
        least = torch.tensor([open_from for _, open_from in _SLITS])
        return (1 - self.gaps(local) / torch.maximum(usual, least)).clamp(0, 1)[self._nearest_slit, None]

    def expected(
        self, local: Float[Tensor, "vertices 3"], expression: Float[Tensor, " channels"]
    ) -> Float[Tensor, "points 3"]:
        """Where the detector sees its points on a head with these vertices, in the head's frame.

        Args:
            local: vertices before the head is turned and moved.
            expression: ARKit's channels.
        """
        points = self._points.on(local)
        if self._bias is not None:
            points = points + self._bias[0] + torch.einsum("e,epc->pc", expression, self._bias[1:])
        return points

    def spread(
        self, detected: Float[Tensor, "478 2"], expected: Float[Tensor, "points 2"]
    ) -> tuple[Float[Tensor, "vertices 2"], Float[Tensor, "vertices 2"]]:
        """Displacement of each vertex, and how it differs where lips and lids are closed.

        There, what meets is displaced alike, because distances are measured on a closed face. On an open one the lips
        would stay as far apart as those of the photo lie from the fitted ones.

        Args:
            detected: points in the image; rows of NaN are not used.
            expected: the same points of the head, in the head's order.
        """
        apart = torch.nan_to_num(detected[self._numbers] - expected)
        opened, closed = ((apart[each.rows] * each.weights[..., None]).sum(1) for each in (self._open, self._closed))
        return opened, closed - opened


class _Spread(NamedTuple):
    """The points next to each vertex."""

    rows: Int64[Tensor, "vertices neighbors"]
    weights: Float[Tensor, "vertices neighbors"]
    distance: Float[Tensor, " vertices"]
    """To the nearest, meters."""
