"""Position and direction of a detected face in the image."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from facetalk.core.landmarks import MESH_FOREHEAD, MESH_NOSE_BASE, MESH_OUTER_EYE_CORNERS

_RIGHT_EYE, _LEFT_EYE = MESH_OUTER_EYE_CORNERS
_FRONTAL_PITCH_DEG = -7.0
"""Pitch of the line from forehead to nose base for a face toward the camera (median of 400 clips)."""


def bounding_boxes(points: Float[np.ndarray, "faces 478 3"]) -> Float[np.ndarray, "faces 4"]:
    """Left, top, right and bottom of each face in pixels."""
    flat = points[..., :2]
    return np.concatenate([flat.min(1), flat.max(1)], -1)


def face_centers(points: Float[np.ndarray, "faces 478 3"]) -> Float[np.ndarray, "faces 2"]:
    """Mean of the outer eye corners and nose base in pixels; unlike the box, it does not move when the mouth opens."""
    return points[:, [_RIGHT_EYE, _LEFT_EYE, MESH_NOSE_BASE], :2].mean(1)


def face_angles(points: Float[np.ndarray, "faces 478 3"]) -> Float[np.ndarray, "faces 3"]:
    """Yaw, pitch and roll of each face in degrees; 0 faces the camera.

    Positive yaw turns the face to its own left, positive pitch lowers it, positive roll tilts it toward its own left
    shoulder. The axes of the face come from its outer eye corners and from forehead and nose base, with MediaPipe's
    estimate of their depth.

    Args:
        points: MediaPipe's mesh in pixels, y down, depth on the scale of x, increasing away from the camera.
    """
    across = _unit(points[:, _LEFT_EYE] - points[:, _RIGHT_EYE])
    down = points[:, MESH_NOSE_BASE] - points[:, MESH_FOREHEAD]
    down = _unit(down - (down * across).sum(1, keepdims=True) * across)
    away = np.cross(across, down)  # points into the head; (0, 0, 1) for a face toward the camera
    yaw = np.degrees(np.arctan2(-away[:, 0], away[:, 2]))
    pitch = np.degrees(np.arcsin(np.clip(-away[:, 1], -1, 1)))
    roll = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    return np.stack([yaw, pitch - _FRONTAL_PITCH_DEG, roll], 1)


def overlap(first: Float[np.ndarray, " 4"], second: Float[np.ndarray, " 4"]) -> float:
    """Intersection of two boxes over their union, 0 to 1."""
    shared = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    inside = float(np.prod(np.maximum(shared, 0)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (first, second)]
    return inside / max(sum(areas) - inside, 1e-9)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
