"""Identity directions: measured modes of variation, extended to the whole head, and named traits."""

from __future__ import annotations

import numpy as np

from facetalk.core.landmarks import NUM_MESH_SKIN_POINTS
from facetalk.workshop.head import parts
from facetalk.workshop.head.anatomy import Measurements
from facetalk.workshop.head.domain import ThinPlate, smoothstep
from facetalk.workshop.head.face import Face
from facetalk.workshop.head.sculpture import SKIN, Sculpture, keep_closed
from facetalk.workshop.head.traits import TRAITS, trait_moves

OPENING_KEPT = 0.2
"""Share of people's different lid openings that identity carries: a blink goes as far on every face, so that wider lids
would not close. The rest is for eyeWide and eyeSquint."""

GLOBAL_NAMES = ("skullWidth", "skullHeight", "neckWidth")


def identity_names(measurements: Measurements) -> tuple[str, ...]:
    """Names of the identity directions."""
    return (*(f"face{i + 1}" for i in range(len(measurements.modes))), *GLOBAL_NAMES, *TRAITS)


def affine_through(points: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The affine displacement field nearest to measured displacements, damped toward a shift."""
    center = points.mean(0)
    offset = points - center
    gram = offset.T @ offset + 0.15 * np.trace(offset.T @ offset) / 3 * np.eye(3)
    matrix = np.linalg.solve(gram, offset.T @ (moves - moves.mean(0)))
    return matrix, moves.mean(0) - center @ matrix


def face_mode(head: Sculpture, measurements: Measurements, mode: np.ndarray) -> np.ndarray:
    """Extend a measured mode to every vertex, mm."""
    places, moves = head.face_at[:NUM_MESH_SKIN_POINTS], mode[:NUM_MESH_SKIN_POINTS]
    matrix, shift = affine_through(measurements.mean[:NUM_MESH_SKIN_POINTS], moves)
    skin = np.flatnonzero(np.isfinite(head.places[:, 0]))
    far = skin[(np.abs(head.places[skin, 0]) > 120) | (head.places[skin, 1] > 85) | (head.places[skin, 1] < -160)]
    far = far[:: max(1, len(far) // 260)]
    far = np.unique(np.concatenate([far, head.partner[far]]))
    _, unique = np.unique(head.places[far].round(2), axis=0, return_index=True)
    far = far[unique]
    overall = 0.75 * (head.points[far] @ matrix + shift)
    overall *= smoothstep(-235, -150, head.points[far, 1])[:, None]
    spline = ThinPlate(np.concatenate([places, head.places[far]]), np.concatenate([moves, overall]), smoothing=3e-3)
    move = np.zeros_like(head.points)
    move[skin] = spline(np.clip(head.places[skin], [-400, -330], [400, 170]))
    move[skin] *= smoothstep(-262, -200, head.points[skin, 1])[:, None]
    return move


def ears(head: Sculpture) -> np.ndarray:
    """Vertices of both ears, which move rigidly with the adjacent head."""
    return np.unique(np.concatenate([head.linings["left_ear"], head.linings["right_ear"]]))


def carry_parts(head: Sculpture, move: np.ndarray) -> None:
    """Move eyeballs, teeth and tongue rigidly with their surroundings; lids stay on their eyeball."""
    for side, name in ((1.0, "left"), (-1.0, "right")):
        rings = head.rings[f"{name}_eye"]
        shift = move[rings[0]].mean(0)
        move[head.groups[f"{name}_eyeball"]] = shift
        center = np.array(parts.EYE_CENTER) * [side, 1, 1]
        for level, ring in enumerate(rings):
            direction = head.points[ring] - center
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            relative = move[ring] - shift
            radial = (relative * direction).sum(1, keepdims=True) * direction
            keep = np.clip(level / 6, 0, 1) ** 2
            tangential = 0.8 * (relative - radial * (1 - keep))
            opening = tangential[:, 1] - tangential[-np.arange(len(ring)) % len(ring), 1]
            tangential[:, 1] -= (1 - keep) * (1 - OPENING_KEPT) * opening / 2
            move[ring] = shift + tangential
        for row in head.linings[f"{name}_eye"]:
            move[row] = move[rings[0]]
    keep_closed(head, move)
    rim = head.rings["mouth"][0]
    shift = move[rim].mean(0)
    for name in ("upper_teeth", "lower_teeth", "tongue"):
        move[head.groups[name]] = shift
    rows = head.linings["mouth"]
    for index, row in enumerate(rows):
        fade = np.clip(1 - (index + 1) / 5, 0, 1)
        move[row] = shift + fade * (move[rim] - shift)
    for name in ("left_nostril", "right_nostril"):
        for row in head.linings[name]:
            move[row] = move[head.rings[name][0]].mean(0)
    for name in ("left_ear", "right_ear"):
        base = move[head.rings[name][0]].mean(0)
        for row in head.linings[name]:
            move[row] += base


def global_modes(head: Sculpture) -> list[np.ndarray]:
    """Skull width, skull height and neck width, one standard deviation of adults each (Farkas 1994)."""
    points = head.points
    skull = smoothstep(25, 75, points[:, 1]) + smoothstep(-40, -95, points[:, 2]) * smoothstep(-120, -40, points[:, 1])
    skull = np.clip(skull, 0, 1)
    parts_too = np.zeros(len(points), bool)
    parts_too[head.groups[SKIN]] = True
    skull *= parts_too
    width, height, neck = (np.zeros_like(points) for _ in range(3))
    width[:, 0] = 0.035 * skull * points[:, 0]
    height[:, 1] = 0.05 * smoothstep(30, 110, points[:, 1]) * (points[:, 1] - 30)
    band = smoothstep(-232, -190, points[:, 1]) * smoothstep(-70, -135, points[:, 1]) * parts_too
    axis = np.array([0.0, 0.0, -85.0])
    neck[:, [0, 2]] = 0.07 * band[:, None] * (points - axis)[:, [0, 2]] * smoothstep(30, -20, points[:, 2])[:, None]
    return [width, height, neck]


def all_directions(head: Sculpture, measurements: Measurements) -> np.ndarray:
    """Displacements for one standard deviation of each direction, (n, vertices, 3) mm; each mirror-symmetrical."""
    moves = [face_mode(head, measurements, mode) for mode in measurements.modes] + global_modes(head)
    for move in moves:
        move[ears(head)] = 0
    moves += trait_moves(Face(head)).values()
    for move in moves:
        carry_parts(head, move)
    stack = np.stack(moves)
    return (stack + stack[:, head.partner] * [-1, 1, 1]) / 2
