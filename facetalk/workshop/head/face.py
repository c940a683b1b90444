"""Fields on the face at rest from which the channels are built."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from facetalk.core.landmarks import MESH_MOUTH_CORNERS
from facetalk.workshop.head.domain import bump, smoothstep
from facetalk.workshop.head.muscles import Pull
from facetalk.workshop.head.sculpture import SKIN, Sculpture
from facetalk.workshop.head.topology import EYE_LEVELS, MOUTH_LEVELS


class Face:
    """Weights and pulls on the face at rest, from which the channels are built."""

    def __init__(self, sculpture: Sculpture) -> None:
        self.head = sculpture
        self.points = sculpture.points
        skin = np.zeros(len(self.points), bool)
        skin[sculpture.groups[SKIN]] = True
        self.skin = skin
        self.places = np.where(np.isfinite(sculpture.places), sculpture.places, -999.0)
        corner = sculpture.face_at[MESH_MOUTH_CORNERS[0]]
        self.corner = np.array([-corner[0], corner[1]])
        self.hold = self._lid_hold()
        self.lower = self._lower_side()
        self.jaw = self._jaw_weight()

    def anchor(self, number: int) -> np.ndarray:
        """Map place of a measured point, on the left."""
        place = self.head.face_at[number]
        return np.array([abs(place[0]), place[1]])

    def _lid_hold(self) -> np.ndarray:
        """Share of a pull that each vertex follows: the lid margins are held, the skin around them slides."""
        give = np.ones(len(self.points))
        for name in ("left_eye", "right_eye"):
            for level, ring in zip(EYE_LEVELS, self.head.rings[name], strict=True):
                give[ring] = np.interp(level, [0, 0.4, 1, 2], [0.06, 0.16, 0.55, 1.0])
            give[self.head.linings[name]] = 0.06
        # The root of the nose stays: skin there slides over the bone by little.
        x, y = np.abs(self.places[:, 0]), self.places[:, 1]
        root = smoothstep(22, 6, x) * smoothstep(24, 0, y) * smoothstep(-22, -4, y)
        return give * (1 - 0.85 * root)

    def _lower_side(self) -> np.ndarray:
        """1 under the line of the lips, 0 over it, soft beyond the corners."""
        x, y = np.abs(self.places[:, 0]), self.places[:, 1]
        mouth_y = self.corner[1] + 1.2 * smoothstep(self.corner[0], 0, x)
        half = 0.8 + 0.62 * np.maximum(x - self.corner[0] + 5, 0)
        lower = smoothstep(1, -1, (y - mouth_y) / half)
        rim = self.head.rings["mouth"]
        columns = rim.shape[1]
        sign = np.cos(2 * np.pi * np.arange(columns) / columns)
        for level, ring in enumerate(rim[:-1]):
            exact = smoothstep(0.95, -0.95, sign)
            share = 1 - smoothstep(2.4, 4.2, MOUTH_LEVELS[level])
            lower[ring] += share * (exact - lower[ring])
        for row in self.head.linings["mouth"]:
            lower[row] = lower[rim[0]]
        return lower

    def _jaw_weight(self) -> np.ndarray:
        """Share of the jaw's turn that each vertex takes part in."""
        x, y = np.abs(self.places[:, 0]), self.places[:, 1]
        weight = self.lower.copy()
        # The cheek hands over gradually, the further back the more.
        back = smoothstep(45, 120, x)
        weight *= 1 - back
        jaw_line = np.interp(x, [0, 20, 50, 85, 110], [-113, -112, -95, -70, -50])
        under = smoothstep(-225, jaw_line + 6, y)
        weight *= under
        weight[~self.skin] = 0
        rim = self.head.rings["mouth"][0]
        depth = len(self.head.linings["mouth"])
        for index, row in enumerate(self.head.linings["mouth"]):
            fade = 1 - 0.75 * smoothstep(depth * 0.55, depth, index)
            weight[row] = weight[rim] * fade
        for name in ("lower_teeth", "tongue"):
            weight[self.head.groups[name]] = 1
        tongue = self.head.groups["tongue"]
        weight[tongue] = 0.35 + 0.65 * smoothstep(-40, -12, self.points[tongue, 2])
        return weight

    def hill(self, pull: Pull, side: float = 1.0) -> np.ndarray:
        """Strength of a pull at every vertex."""
        center = self.anchor(pull.anchor) * [side, 1]
        value = bump(self.places, (center[0], center[1]), pull.size)
        if pull.only == "upper":
            value *= 1 - self.lower
        elif pull.only == "lower":
            value *= self.lower
        value[~self.skin] = 0
        return value * self.hold

    def pulled(self, pulls: Iterable[Pull], side: float = 1.0) -> np.ndarray:
        """Displacement by several pulls of one side, given for the left."""
        total = np.zeros_like(self.points)
        for pull in pulls:
            total += self.hill(pull, side)[:, None] * (np.array(pull.move) * [side, 1, 1])
        return total

    def both(self, pulls: Iterable[Pull]) -> np.ndarray:
        """Pulls of both sides; a pull on the midline counts once."""
        total = np.zeros_like(self.points)
        for pull in pulls:
            left, right = self.hill(pull), self.hill(pull, -1.0)
            total[:, 0] += (left - right) * pull.move[0]
            # Where both hills overlap the sum must not exceed one pull.
            strength = np.maximum(np.maximum(left, right), np.minimum(left + right, 1) * 0.9)
            strength = np.where(np.maximum(left, right) > 0, strength, 0)
            total[:, 1:] += strength[:, None] * np.array(pull.move[1:])
        return total

    def spread(self, move: np.ndarray, reach: float) -> None:
        """Extend the displacement of the mouth's rings to the skin around them, fading with the distance on the map."""
        rings = self.head.rings["mouth"]
        done = np.append(np.unique(rings), self.head.linings["mouth"])
        rest = np.setdiff1d(np.flatnonzero(self.skin & (np.abs(self.places[:, 0]) < 80)), done)
        outer = rings[-1]
        offset = self.places[rest][:, None] - self.places[outer][None]
        distance = np.sqrt((offset**2).sum(-1))
        weight = np.exp(-0.5 * ((distance - distance.min(1, keepdims=True)) / 5) ** 2)
        weight /= weight.sum(1, keepdims=True)
        x, y = np.abs(self.places[rest].T)
        nose = smoothstep(24, 14, x) * smoothstep(50, 43, y)
        fade = np.exp(-0.5 * (distance.min(1) / reach) ** 2) * self.hold[rest] * (1 - 0.8 * nose)
        move[rest] = fade[:, None] * (weight @ move[outer])
