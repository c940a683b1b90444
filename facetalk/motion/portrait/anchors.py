"""How far the points of a photo lie from those of the fitted head, continued over the whole mesh.

A fit leaves lips and lids a few pixels off. What moves the pixels of a photo must begin where its lips and lids are.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor

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


class Anchors:
    """Spreads displacements of MediaPipe's points over the vertices of a head."""

    def __init__(self, head: HeadModel) -> None:
        open_mouth = head.template + _OPEN * head.expression_dirs[ARKIT_NAMES.index("jawOpen")]
        points = head.points.mediapipe.on(open_mouth).numpy()
        distance, self._rows = KDTree(points).query(open_mouth.numpy(), _NEIGHBORS)
        near = np.exp(-0.5 * ((distance**2 - distance[:, :1] ** 2) / _REACH_M**2))
        weights = near / near.sum(1, keepdims=True) * np.exp(-((distance[:, :1] / _FADE_M) ** 2))
        self._weights = torch.from_numpy(weights.astype(np.float32))
        self.nearness = torch.from_numpy((distance[:, 0] < _NEAR_M).astype(np.float32))
        """1 for vertices near one of the points, 0 for the others."""
        self._numbers = head.points.mediapipe_ids
        self._points, self._bias = head.points.mediapipe, head.points.detector_bias

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
    ) -> Float[Tensor, "vertices 2"]:
        """Displacement of each vertex.

        Args:
            detected: points in the image; rows of NaN are not used.
            expected: the same points of the head, in the head's order.
        """
        apart = torch.nan_to_num(detected[self._numbers] - expected)
        return (apart[torch.from_numpy(self._rows)] * self._weights[..., None]).sum(1)
