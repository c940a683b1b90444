"""The skin's mesh on the map: rings of quads around eyes, mouth, nostrils and ears, joined by a graded grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import Delaunay, KDTree

from facetalk.core.landmarks import MESH_RIGHT_EYE_RINGS, MESH_RIGHT_MOUTH_RINGS
from facetalk.workshop.head.domain import DOME_RADIUS, DOME_Y, PER_RADIAN, TOP, between_curves, closed_curve, conformal

EYE_COUNT, MOUTH_HALF, NOSTRIL_COUNT, EAR_COUNT = 40, 31, 16, 40
EYE_LEVELS = np.array([0, 0.18, 0.4, 0.62, 0.82, 1, 1.3, 1.65, 2])
MOUTH_LEVELS = np.array([0, 0.5, 1, 1.5, 2, 2.4, 2.75, 3, 3.3, 3.65, 4])
NOSTRIL = ((8.2, -40.4), (3.6, 1.9), -0.25)
"""Center, half axes and turn of the left nostril's rim on the map."""
EAR = ((171.5, -19.0), (10.2, 21.5), 0.14)


@dataclass(eq=False)
class Sheet:
    """A mesh on the map."""

    places: np.ndarray
    faces: np.ndarray
    rings: dict[str, np.ndarray]
    """Vertex numbers (levels, around); level 0 is the opening's rim."""


class _Builder:
    def __init__(self) -> None:
        self.places: list[np.ndarray] = []
        self.faces: list[np.ndarray] = []
        self.count = 0

    def add(self, places: np.ndarray) -> np.ndarray:
        self.places.append(places)
        self.count += len(places)
        return np.arange(self.count - len(places), self.count)


def strip(inner: np.ndarray, outer: np.ndarray, closed: bool) -> np.ndarray:
    """Triangles of a band of quads between two matching rows of vertices."""
    if closed:
        inner, outer = np.append(inner, inner[0]), np.append(outer, outer[0])
    a, b, c, d = inner[:-1], inner[1:], outer[1:], outer[:-1]
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def ellipse(shape: tuple, count: int, factor: float = 1.0) -> np.ndarray:
    """Points round an ellipse on the map."""
    (x, y), (a, b), turn = shape
    t = 2 * np.pi * np.arange(count) / count
    u, v = factor * a * np.cos(t), factor * b * np.sin(t)
    return np.stack([x + u * np.cos(turn) - v * np.sin(turn), y + u * np.sin(turn) + v * np.cos(turn)], 1)


def eye_rings(face_at: np.ndarray) -> np.ndarray:
    """Map places around the left eye, (levels, count, 2), from the outer corner over the upper lid."""
    positions = 16 * np.arange(EYE_COUNT) / EYE_COUNT
    curves = [closed_curve(face_at[list(contour)] * [-1, 1], positions) for contour in MESH_RIGHT_EYE_RINGS]
    return between_curves(np.stack(curves), EYE_LEVELS)


def mouth_rings(face_at: np.ndarray) -> np.ndarray:
    """Map places around the left half of the mouth, (levels, half, 2), upper midline to lower midline."""
    curves = []
    for contour in MESH_RIGHT_MOUTH_RINGS:
        half = face_at[list(contour)] * [-1, 1]
        whole = np.concatenate([half, half[-2:0:-1] * [-1, 1]])
        curves.append(closed_curve(whole, np.arange(MOUTH_HALF) / 3))
    rings = between_curves(np.stack(curves), MOUTH_LEVELS)
    rings[:, [0, -1], 0] = 0
    return rings


def background(outlines: list[np.ndarray]) -> np.ndarray:
    """Grid points of three densities outside the outlines, left half with midline."""
    kept = np.concatenate(outlines)

    def grid(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        return np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)

    nose = grid(np.arange(0, 30, 2.4), np.arange(-52, 2, 2.4))
    nose = nose[nose[:, 0] < 15 - 0.30 * (nose[:, 1])]
    face = grid(np.arange(0, 100, 5.0), np.arange(-125, 60, 5.0))
    jaw = grid(np.arange(100, 152, 6.5), np.arange(-119, -44, 6.5))
    coarse = grid(
        np.linspace(0, np.pi * PER_RADIAN, 31), np.concatenate([np.arange(-325, -150, 8.75), np.arange(-150, 31, 9.0)])
    )
    dome = []
    for along in np.arange(39, TOP - 2, 8.5):
        columns = max(3, round(30 * np.cos((along - DOME_Y) / DOME_RADIUS)))
        dome.append(grid(np.linspace(0, np.pi * PER_RADIAN, columns + 1), np.array([along])))
    for group, distance in ((nose, 2.0), (face, 3.4), (jaw, 4.6), (np.concatenate([coarse, *dome]), 6.2)):
        outside = np.ones(len(group), bool)
        for outline in outlines:
            outside &= ~inside(group, outline)
        group = group[outside]
        near, _ = KDTree(kept).query(group)
        # Near the crown places lie closer in space than on the map.
        scale = np.clip(np.cos(np.maximum(group[:, 1] - DOME_Y, 0) / DOME_RADIUS), 0.1, 1)
        kept = np.concatenate([kept, group[(near > distance) | (scale < 0.8)]])
    pole = np.array([[0.0, TOP - 1e-6]])
    return np.concatenate([kept[sum(map(len, outlines)) :], pole])


def inside(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Which points lie inside a closed polygon (even-odd rule)."""
    x, y = points[:, :1], points[:, 1:]
    x1, y1 = outline.T
    x2, y2 = np.roll(outline, -1, 0).T
    crosses = (y1 > y) != (y2 > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x1 + (y - y1) / (y2 - y1) * (x2 - x1)
    return (crosses & (x < at)).sum(1) % 2 == 1


def lay_out(face_at: np.ndarray) -> Sheet:
    """The whole sheet: the left half is meshed, then mirrored."""
    builder = _Builder()
    rings: dict[str, np.ndarray] = {}
    outlines = []
    half = {
        "left_eye": (eye_rings(face_at), True),
        "mouth": (mouth_rings(face_at), False),
        "left_nostril": (np.stack([ellipse(NOSTRIL, NOSTRIL_COUNT, f) for f in (1.0, 1.28, 1.62)]), True),
        "left_ear": (np.stack([ellipse(EAR, EAR_COUNT, f) for f in (1.0, 1.3)]), True),
    }
    for name, (places, closed) in half.items():
        rings[name] = np.stack([builder.add(ring) for ring in places])
        builder.faces += [strip(a, b, closed) for a, b in zip(rings[name][:-1], rings[name][1:], strict=True)]
        outlines.append(places[-1])
    outer = np.concatenate([ring[-1] for ring in rings.values()])
    grid = builder.add(background(outlines))
    places = np.concatenate(builder.places)
    joined = np.concatenate([outer, grid])
    triangles = joined[Delaunay(conformal(places[joined])).simplices]
    center = places[triangles].mean(1)
    hidden = np.zeros(len(triangles), bool)
    for outline in outlines:
        hidden |= inside(center, outline)
    builder.faces.append(triangles[~hidden])
    return _mirrored(places, np.concatenate(builder.faces), rings)


def _mirrored(places: np.ndarray, faces: np.ndarray, rings: dict[str, np.ndarray]) -> Sheet:
    """Join a left half with its mirror image along the midline, front and back."""
    midline = (np.abs(places[:, 0]) < 1e-6) | (np.abs(places[:, 0] - np.pi * PER_RADIAN) < 1e-6)
    other = np.where(midline, np.arange(len(places)), -1)
    other[~midline] = len(places) + np.arange((~midline).sum())
    # The map's orientation is that of the surface seen from outside with x to the right.
    a, b, c = (places[faces[:, i]] for i in range(3))
    turned = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0
    faces = np.where(turned[:, None], faces[:, ::-1], faces)
    whole = np.concatenate([places, places[~midline] * [-1, 1]])
    left = {name: ring for name, ring in rings.items() if name.startswith("left")}
    rings = rings | {name.replace("left", "right"): other[ring] for name, ring in left.items()}
    # The mouth's ring goes on from the lower midline around the right corner back up.
    rings["mouth"] = np.concatenate([rings["mouth"], other[rings["mouth"][:, -2:0:-1]]], 1)
    return Sheet(whole, np.concatenate([faces, other[faces][:, ::-1]]), rings)
