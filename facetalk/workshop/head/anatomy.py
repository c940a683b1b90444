"""The measured face, and skull, neck and bust from anthropometry, as control points on the map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facetalk.core.landmarks import MESH_RIGHT_JAWLINE, MESH_RIGHT_MOUTH_RINGS, NUM_MESH_SKIN_POINTS
from facetalk.workshop.head.domain import (
    DOME_RADIUS,
    DOME_Y,
    PER_RADIAN,
    TOP,
    ThinPlate,
    from_cylinder,
    smoothstep,
    to_map,
)

SKULL_CENTER = (0.0, 20.0, -75.0)
SKULL_AXES = (77.0, 94.0, 97.0)
"""Half of head breadth 154, height over the center 94, half of head length 194 (Farkas 1994, North American means)."""

# fmt: off
# Neck and bust: rows of `along`; columns of azimuth in degrees; distance from the axis and height, mm.
BODY_AZIMUTHS = (0, 30, 60, 90, 120, 150, 180)
BODY_ROWS = {
    -165: ((43, 45, 48, 50, 54, 59, 61), (-133, -134, -135, -136, -138, -141, -142)),
    -200: ((40, 44, 50, 57, 65, 69, 70), (-159, -160, -161, -160, -159, -162, -165)),
    -235: ((37, 46, 64, 88, 94, 86, 80), (-192, -191, -186, -179, -176, -180, -184)),
    -262: ((55, 75, 106, 134, 126, 104, 93), (-212, -210, -203, -194, -192, -198, -202)),
    -295: ((76, 100, 142, 170, 148, 114, 102), (-246, -243, -234, -223, -226, -238, -243)),
    -325: ((84, 108, 148, 174, 150, 117, 104), (-280, -280, -280, -280, -280, -280, -280)),
}
# Back of the head below the skull's ellipsoid: (azimuth in degrees, distance from the axis, height).
NAPE = (
    (180, 96, -5), (180, 91, -35), (180, 74, -72), (180, 64, -108),
    (150, 93, -5), (150, 88, -35), (150, 73, -72), (150, 63, -108),
    (120, 84, -10), (120, 76, -40), (120, 63, -75), (120, 56, -110),
    (98, 75, 20), (98, 73, -10), (98, 67, -40), (97, 61, -75), (97, 53.5, -110),
)
# The mandible behind the measured contour: (azimuth in degrees, along, distance from the axis, height).
RAMUS = (
    (80, -20, 73.5, -20), (80, -40, 71, -40), (77, -58, 67.5, -58), (71, -71, 66, -71), (71, -87, 61, -82),
    (88, -56, 65.5, -56), (85, -74, 62, -74), (79, -94, 59, -88), (70, -106, 55.5, -94), (86, -110, 54, -102),
)
UNDER_STEPS = (0.0, 0.1, 0.22, 0.36, 0.52, 0.74, 1.0)
UNDER_RADIUS = ((0.0, 0.07, 0.26, 0.53, 0.80, 0.99, 1.0), (0.0, 0.20, 0.46, 0.68, 0.84, 0.96, 1.0))
UNDER_HEIGHT = ((0.0, 0.12, 0.22, 0.31, 0.42, 0.66, 1.0), (0.0, 0.08, 0.18, 0.31, 0.48, 0.72, 1.0))
"""Profile from the jaw line to the neck, under the chin and under the angle of the jaw: first inwards, then down."""
# fmt: on


@dataclass(frozen=True, eq=False)
class Measurements:
    """Table of measured faces, see `measuring`; millimeters."""

    mean: np.ndarray
    pairs: np.ndarray
    modes: np.ndarray
    tables: dict[str, np.ndarray]


def read_measurements() -> Measurements:
    """Read the table next to this module."""
    with np.load(Path(__file__).with_name("measurements.npz"), allow_pickle=False) as file:
        tables = {name: file[name].astype(np.float64) for name in file.files}
    pairs = tables["pairs"].astype(np.int64)
    return Measurements(tables["mean"], pairs, tables["modes"], tables)


def face_places(mean: np.ndarray, pairs: np.ndarray, opening: float = 2.2) -> np.ndarray:
    """Map places of the 478 points, with the lips separated so that upper and lower lip have different places."""
    places = to_map(mean)
    for level, contour in enumerate(MESH_RIGHT_MOUTH_RINGS[:-1]):
        amount = opening * (1 - level / 4)
        for index, number in enumerate(contour):
            lift = amount * np.cos(np.pi * index / 10)
            for point in {number, int(pairs[number])}:
                places[point, 1] += lift
    return places


def skull_points() -> np.ndarray:
    """Points on an ellipsoid above and behind the measured face, left half with midline."""
    rows = []
    for tilt in np.deg2rad(np.arange(0, 90, 15.0)):
        for azimuth in np.deg2rad(np.arange(0, 181, 20.0)):
            level = np.hypot(np.sin(azimuth) / SKULL_AXES[0], np.cos(azimuth) / SKULL_AXES[2])
            radius = np.cos(tilt) / level
            point = [radius * np.sin(azimuth), SKULL_CENTER[1] + SKULL_AXES[1] * np.sin(tilt), radius * np.cos(azimuth)]
            point[2] += SKULL_CENTER[2]
            face_here = azimuth < np.deg2rad(80) and point[1] < 62 + 20 * (np.rad2deg(azimuth) / 80)
            if not face_here:
                rows.append(point)
    return np.array(rows)


def crown_points() -> tuple[np.ndarray, np.ndarray]:
    """Controls at the crown and just beyond it, where the distance from the axis changes sign."""
    places, values = [], []
    for azimuth in np.arange(0, 181, 20.0):
        for tilt in (0.0, 0.25):
            level = np.hypot(np.sin(np.deg2rad(azimuth)) / SKULL_AXES[0], np.cos(np.deg2rad(azimuth)) / SKULL_AXES[2])
            radius, height = np.sin(tilt) / level, SKULL_CENTER[1] + SKULL_AXES[1] * np.cos(tilt)
            beyond = TOP - DOME_Y - DOME_RADIUS * np.arctan2(height - DOME_Y, radius)
            places.append([PER_RADIAN * np.deg2rad(azimuth), TOP + beyond])
            values.append([-radius, height])
    return np.array(places), np.array(values)


def under_jaw(mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Controls between the jaw line and the top of the neck: places, and (radius, height)."""
    jaw = mean[list(MESH_RIGHT_JAWLINE[:-1])]
    jaw_places = to_map(jaw * [-1, 1, 1])
    jaw_radius = np.hypot(jaw[:, 0], jaw[:, 2] + 75)
    radii, heights = BODY_ROWS[-165]
    places, values = [], []
    for (around, along), radius, height in zip(jaw_places, jaw_radius, jaw[:, 1], strict=True):
        azimuth = np.rad2deg(around / PER_RADIAN)
        neck_radius = np.interp(azimuth, BODY_AZIMUTHS, radii)
        neck_height = np.interp(azimuth, BODY_AZIMUTHS, heights)
        back = float(smoothstep(20, 55, azimuth))
        for inwards, down, step in list(zip(*_under_profile(back), UNDER_STEPS, strict=True))[1:-1]:
            places.append([around, along + (-165 - along) * step])
            values.append([radius + (neck_radius - radius) * inwards, height + (neck_height - height) * down])
    for azimuth, along, radius, height in RAMUS:
        places.append([PER_RADIAN * np.deg2rad(azimuth), along])
        values.append([radius, height])
    return np.array(places), np.array(values)


def _under_profile(back: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the way inwards and down, from under the chin (0) to under the angle of the jaw (1)."""
    chin, angle = np.array([UNDER_RADIUS[0], UNDER_HEIGHT[0]]), np.array([UNDER_RADIUS[1], UNDER_HEIGHT[1]])
    inwards, down = chin + back * (angle - chin)
    return inwards, down


def body_points() -> tuple[np.ndarray, np.ndarray]:
    """Controls of neck, bust and nape, left half: places, and (radius, height)."""
    places, values = [], []
    for along, (radii, heights) in BODY_ROWS.items():
        for azimuth, radius, height in zip(BODY_AZIMUTHS, radii, heights, strict=True):
            places.append([PER_RADIAN * np.deg2rad(azimuth), along])
            values.append([radius, height])
    for azimuth, radius, height in NAPE:
        places.append([PER_RADIAN * np.deg2rad(azimuth), height])
        values.append([radius, height])
    return np.array(places), np.array(values)


def mirrored_and_wrapped(places: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirror the controls of the left half, and repeat them beyond the back so that the map has no edge there."""
    left = (places[:, 0] > 1e-9) & (places[:, 0] < np.pi * PER_RADIAN - 1e-6)
    whole = np.concatenate([places, places[left] * [-1, 1]])
    copied = np.concatenate([values, values[left]])
    turn = 2 * np.pi * PER_RADIAN
    back = whole[:, 0] > 1.9 * PER_RADIAN
    front = whole[:, 0] < -1.9 * PER_RADIAN
    before, after = whole[back] - [turn, 0], whole[front] + [turn, 0]
    return np.concatenate([whole, before, after]), np.concatenate([copied, copied[back], copied[front]])


class HeadSurface:
    """The surface of the head: positions in space of places on the map."""

    def __init__(self, measurements: Measurements) -> None:
        mean = measurements.mean
        face = mean[:NUM_MESH_SKIN_POINTS]
        face_at = face_places(mean, measurements.pairs)[:NUM_MESH_SKIN_POINTS]
        face_values = np.stack([np.hypot(face[:, 0], face[:, 2] + 75), face[:, 1]], 1)
        skull = skull_points()
        parts = [
            (to_map(skull), np.stack([np.hypot(skull[:, 0], skull[:, 2] + 75), skull[:, 1]], 1)),
            crown_points(),
            under_jaw(mean),
            body_points(),
        ]
        left = face[:, 0] >= -1e-3
        face_at[np.abs(face_at[:, 0]) < 0.05, 0] = 0
        parts.append((face_at[left], face_values[left]))
        places = np.concatenate([part[0] for part in parts])
        values = np.concatenate([part[1] for part in parts])
        self._spline = ThinPlate(*mirrored_and_wrapped(places, values), smoothing=2e-4)

    def __call__(self, places: np.ndarray) -> np.ndarray:
        """Positions in millimeters, (n, 2) -> (n, 3)."""
        value = self._spline(places)
        return from_cylinder(places[:, 0], value[:, 0] + neck_relief(places), value[:, 1])


def neck_relief(places: np.ndarray) -> np.ndarray:
    """Neck muscles, larynx and collar bones, mm outwards."""
    x, y = np.abs(places[:, 0]), places[:, 1]

    def ridge(start: tuple[float, float], end: tuple[float, float], width: float, fade: float = 0.25) -> np.ndarray:
        a, b = np.array(start), np.array(end)
        offset = np.stack([x, y], 1) - a
        along = np.clip(offset @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        gap = np.linalg.norm(offset - along[:, None] * (b - a), axis=1)
        return np.exp(-((gap / width) ** 2)) * smoothstep(0, fade, along) * smoothstep(1.0, 0.9, along)

    muscle = 2.4 * ridge((150, -95), (13, -240), 12, fade=0.6) - 0.9 * ridge((125, -95), (38, -235), 10, fade=0.7)
    larynx = 2.6 * np.exp(-((x / 10) ** 2) - ((y + 188) / 11) ** 2)
    notch = -2.5 * np.exp(-((x / 10) ** 2) - ((y + 240) / 7) ** 2)
    collar = 3.6 * ridge((6, -244), (135, -246), 7) - 2.0 * ridge((35, -231), (95, -232), 8)
    return muscle + larynx + notch + collar
