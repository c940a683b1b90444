"""Jaw-line landmarks on the visible outline of the face, one set for each degree of yaw."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from facetalk.core.landmarks import IBUG_JAWLINE, IBUG_NOSE_TIP

MOST_DEGREES = 39
"""FLAME's published tables range from -39 to 39 degrees in steps of one."""

_SECTOR = np.radians(4.0)


def sliding_contour(
    template: Float[np.ndarray, "vertices 3"],
    members: Int[np.ndarray, " members"],
    landmarks: Float[np.ndarray, "68 3"],
    most_degrees: int = MOST_DEGREES,
) -> Int[np.ndarray, "turns 17"]:
    """Vertices at which the 17 jaw-line points appear, rows as in `ContourPoints`.

    Each point keeps its direction from the center of the face in the image; of the vertices in that direction, the
    outermost one is on the outline. The side that turns away shows the outline of the cheek, as landmark detectors mark
    it; a point on the other side keeps its place at rest once the outline lies further inside.

    Args:
        template: head at rest, meters.
        members: vertices of the face's skin, without neck and ears.
        landmarks: the 68 points at rest.
        most_degrees: largest yaw.
    """
    turns = [*range(most_degrees + 1), *range(-1, -most_degrees - 1, -1)]
    jaw = landmarks[list(IBUG_JAWLINE)]
    skin = template[members]
    return np.stack([members[_outline(skin, jaw, landmarks[IBUG_NOSE_TIP], -np.radians(turn))] for turn in turns])


def _outline(skin: np.ndarray, jaw: np.ndarray, nose: np.ndarray, yaw: float) -> np.ndarray:
    """Rows of `skin` for the jaw-line points of a head turned by `yaw` radians."""
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    center = jaw.mean(0)
    center = (np.array([0.0, (center[1] + nose[1]) / 2, center[2]])) @ turn.T
    seen, points = (skin @ turn.T - center)[:, :2], (jaw @ turn.T - center)[:, :2]
    angles, radius = np.arctan2(seen[:, 1], seen[:, 0]), np.linalg.norm(seen, axis=1)
    rest_angles = np.arctan2(jaw[:, 1] - center[1], jaw[:, 0])
    rows = np.arange(len(skin))
    chosen = []
    for index, point in enumerate(points):
        nearest = int(np.argmin(np.linalg.norm(skin @ turn.T - jaw[index] @ turn.T, axis=1)))
        apart = np.abs((angles - rest_angles[index] + np.pi) % (2 * np.pi) - np.pi)
        sector = rows[apart < _SECTOR]
        outermost = int(sector[radius[sector].argmax()]) if len(sector) else nearest
        hidden = radius[outermost] > np.linalg.norm(point) + 1e-3
        chosen.append(outermost if hidden else nearest)
    return np.array(chosen)
