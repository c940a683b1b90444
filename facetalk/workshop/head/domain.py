"""The flat map of the head on which the skin is laid out, and smooth interpolation over it.

A place on the skin has coordinates `(around, along)`, both in millimeters: `around` is 100 times the azimuth (radians)
about a vertical axis through the skull, 0 at the face's midline and positive on the subject's left; `along` runs from
the crown (`TOP`) over the face, where it is the height y, down to the bust.
"""

from __future__ import annotations

import numpy as np

AXIS_Z = -75.0
"""Depth of the vertical axis, mm behind the outer eye corners."""

PER_RADIAN = 100.0
DOME_Y = 30.0
"""Above this height `along` follows the angle of elevation instead of the height."""

DOME_RADIUS = 85.0
TOP = DOME_Y + DOME_RADIUS * np.pi / 2


def to_map(points: np.ndarray) -> np.ndarray:
    """Map coordinates of places on the face or skull, (n, 3) mm -> (n, 2)."""
    x, y, z = points[:, 0], points[:, 1], points[:, 2] - AXIS_Z
    elevation = np.arctan2(y - DOME_Y, np.hypot(x, z))
    along = np.where(y > DOME_Y, DOME_Y + DOME_RADIUS * elevation, y)
    return np.stack([PER_RADIAN * np.arctan2(x, z), along], 1)


def from_cylinder(around: np.ndarray, radius: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Points at an azimuth (map units), distance from the axis and height, (n, 3) mm."""
    azimuth = around / PER_RADIAN
    return np.stack([radius * np.sin(azimuth), height, AXIS_Z + radius * np.cos(azimuth)], 1)


def conformal(places: np.ndarray) -> np.ndarray:
    """The map bent to a disc with the crown in the middle, angles nearly kept: for measuring triangle quality."""
    azimuth = places[:, 0] / PER_RADIAN
    elevation = np.clip((places[:, 1] - DOME_Y) / DOME_RADIUS, 0, np.pi / 2 - 1e-9)
    below = np.minimum(places[:, 1] - DOME_Y, 0) / PER_RADIAN
    radius = np.exp(-(below + np.arcsinh(np.tan(elevation))))
    return np.stack([radius * np.sin(azimuth), radius * np.cos(azimuth)], 1)


class ThinPlate:
    """Thin-plate spline through scattered values on the map."""

    def __init__(self, places: np.ndarray, values: np.ndarray, smoothing: float = 0.0) -> None:
        """Fit.

        Args:
            places: (n, 2) map coordinates, all different.
            values: (n, k).
            smoothing: 0 interpolates every value; larger is stiffer.
        """
        self.places = places / 100.0
        n = len(places)
        kernel = self._kernel(self.places) + smoothing * np.eye(n)
        affine = np.concatenate([np.ones((n, 1)), self.places], 1)
        system = np.block([[kernel, affine], [affine.T, np.zeros((3, 3))]])
        right = np.concatenate([values, np.zeros((3, values.shape[1]))])
        self.weights = np.linalg.solve(system, right)

    def _kernel(self, places: np.ndarray) -> np.ndarray:
        square = ((places[:, None] - self.places[None]) ** 2).sum(-1)
        return 0.5 * square * np.log(square + 1e-20)

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """Values at other places, (m, k)."""
        scaled = places / 100.0
        return self._kernel(scaled) @ self.weights[:-3] + self.weights[-3] + scaled @ self.weights[-2:]


def closed_curve(points: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """A smooth closed curve through points, read at fractional point numbers (periodic cubic spline)."""
    from scipy.interpolate import CubicSpline

    knots = np.arange(len(points) + 1)
    return CubicSpline(knots, np.concatenate([points, points[:1]]), bc_type="periodic")(positions)


def between_curves(curves: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Rings at fractional levels of a stack of matching curves, (k, n, d) -> (levels, n, d)."""
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(np.arange(len(curves)), curves, axis=0)(levels)


def smoothstep(edge0: np.ndarray | float, edge1: np.ndarray | float, value: np.ndarray | float) -> np.ndarray:
    """0 before edge0, 1 after edge1, smooth between; the edges may be swapped."""
    t = np.clip((value - edge0) / (edge1 - edge0), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def bump(places: np.ndarray, center: tuple[float, float], size: tuple[float, float], turn: float = 0.0) -> np.ndarray:
    """A Gaussian hill on the map.

    Args:
        places: (n, 2).
        center: of the hill.
        size: standard deviations along its axes, mm.
        turn: radians its first axis is turned counter-clockwise from `around`.
    """
    offset = places - np.asarray(center)
    c, s = np.cos(turn), np.sin(turn)
    a = (c * offset[:, 0] + s * offset[:, 1]) / size[0]
    b = (-s * offset[:, 0] + c * offset[:, 1]) / size[1]
    return np.exp(-0.5 * (a * a + b * b))
