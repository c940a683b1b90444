"""A head mesh with only a few known places, as publishers provide it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

SMALLEST_M, LARGEST_M = 0.05, 5.0
"""Largest side of a mesh, meters."""
MIN_MEMBERS = 4
"""Vertices of the skin and of each eye: fewer have no shape."""


@dataclass(frozen=True, eq=False)
class Eyeball:
    """One eyeball of a head at rest."""

    members: Int[np.ndarray, " members"]
    """Its vertices."""
    center: Float[np.ndarray, "3"]
    """Meters."""
    axis: Float[np.ndarray, "3"]
    """Direction of gaze."""

    @property
    def basis(self) -> Float[np.ndarray, "3 3"]:
        """Right, up and forward directions, by rows."""
        forward = self.axis / np.linalg.norm(self.axis)
        right = np.cross([0.0, 1.0, 0.0], forward)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward])


@dataclass(frozen=True, eq=False)
class BareMesh:
    """A mesh with a few known places. Meters; x to the subject's left, y up, z forward."""

    template: Float[np.ndarray, "vertices 3"]
    faces: Int[np.ndarray, "faces 3"]
    skin: Int[np.ndarray, " members"]
    """Vertices of the skin, neck included."""
    landmarks: Mapping[int, Float[np.ndarray, "3"]]
    """Positions of some of the 68 landmarks, by index."""
    left_eye: Eyeball
    right_eye: Eyeball

    def __post_init__(self) -> None:
        size = float(np.ptp(self.template, axis=0).max()) if len(self.template) else 0.0
        if not SMALLEST_M <= size <= LARGEST_M:
            raise ValueError(f"a head of {size:.3g} m; heads have {SMALLEST_M} to {LARGEST_M} m")
        for what, members in (("skin", self.skin), ("left eye", self.left_eye.members),
                              ("right eye", self.right_eye.members)):  # fmt: skip
            if len(members) < MIN_MEMBERS:
                raise ValueError(f"a head with {len(members)} vertices of the {what}")


def fit_eyeball(template: Float[np.ndarray, "vertices 3"], members: Int[np.ndarray, " members"]) -> Eyeball:
    """Fit a sphere to an eyeball's vertices; the eyeball looks straight ahead."""
    points = template[members].astype(np.float64)
    system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    answer = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    return Eyeball(members, answer[:3], np.array([0.0, 0.0, 1.0]))
