"""The motion of a detected mouth as three curves."""

from __future__ import annotations

import numpy as np

from facetalk.core.landmarks import MESH_CHIN, MESH_INNER_LIP_CENTERS, MESH_MOUTH_CORNERS, MESH_NASION, MESH_RIGID

_PAIRS = (MESH_INNER_LIP_CENTERS, MESH_MOUTH_CORNERS, (MESH_NASION, MESH_CHIN))
"""Inner lips, mouth corners, nasion and chin, one pair for each column of `mouth_curves`."""


def mouth_curves(points: np.ndarray) -> np.ndarray:
    """Opening of the lips, width of the mouth and drop of the chin in each frame, (frames, 3).

    Distances in space do not change when the head turns; dividing by the size of the rigid part of the face removes
    the distance from the camera. Frames without a face are NaN.

    Args:
        points: MediaPipe's (frames, 478, 3) in pixels, depth on the scale of x; rows of NaN where no face was found.
    """
    rigid = points[:, list(MESH_RIGID)]
    size = np.linalg.norm(rigid - rigid.mean(1, keepdims=True), axis=(1, 2))
    return np.stack([np.linalg.norm(points[:, a] - points[:, b], axis=1) / size for a, b in _PAIRS], 1)
