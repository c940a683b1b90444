"""Baked shade: how much of the sky above each vertex the head itself hides."""

from __future__ import annotations

import numpy as np

from facetalk.rendering.rasterizer import Raster

DIRECTIONS = 120
RESOLUTION = 420
BIAS_MM = 1.3
"""A vertex counts as seen when nothing lies further in front of it than this."""

DISTANCE_MM = 5000.0


def sphere_directions(count: int) -> np.ndarray:
    """Evenly spread unit vectors (Fibonacci lattice), in mirror pairs."""
    index = np.arange(count // 2) + 0.5
    y = 1 - 2 * index / (count // 2)
    turn = np.pi * (1 + 5**0.5) * index
    flat = np.sqrt(1 - y * y)
    half = np.stack([flat * np.cos(turn), y, flat * np.sin(turn)], 1)
    return np.concatenate([half, half * [-1, 1, 1]])


def frame_toward(direction: np.ndarray) -> np.ndarray:
    """Rotation matrix that turns `direction` to +z."""
    helper = np.array([0.0, 1.0, 0.0]) if abs(direction[1]) < 0.9 else np.array([0.0, 0.0, 1.0])
    x = np.cross(helper, direction)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(direction, x), direction])


def openness(points: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Share of the hemisphere over each vertex that is open, weighted by the cosine, (vertices,) in [0, 1]."""
    raster = Raster(faces, (RESOLUTION, RESOLUTION))
    middle = (points.max(0) + points.min(0)) / 2
    reach = np.linalg.norm(points - middle, axis=1).max()
    seen, total = np.zeros(len(points)), np.zeros(len(points))
    for direction in sphere_directions(DIRECTIONS):
        turned = (points - middle) @ frame_toward(direction).T
        depth = (DISTANCE_MM - turned[:, 2]) / 1000
        # The camera is so far away that its rays are nearly parallel.
        scale = 0.98 * RESOLUTION / 2 / reach * DISTANCE_MM / 1000 / depth
        u, v = RESOLUTION / 2 + scale * turned[:, 0], RESOLUTION / 2 - scale * turned[:, 1]
        raster.draw(np.stack([u * depth, v * depth, depth], 1))
        column, row = np.clip(u.astype(int), 0, RESOLUTION - 1), np.clip(v.astype(int), 0, RESOLUTION - 1)
        front = 1 / np.maximum(raster.nearness[row, column], 1e-6)
        weight = np.maximum(normals @ direction, 0)
        seen += weight * (depth - front < BIAS_MM / 1000)
        total += weight
    return seen / np.maximum(total, 1e-9)


def smoothed(values: np.ndarray, faces: np.ndarray, rounds: int = 2) -> np.ndarray:
    """Values averaged with their neighbors on the mesh."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = np.bincount(edges.ravel(), minlength=len(values))
    for _ in range(rounds):
        sums = np.bincount(edges[:, 0], values[edges[:, 1]], len(values)) + np.bincount(
            edges[:, 1], values[edges[:, 0]], len(values)
        )
        values = 0.5 * values + 0.5 * sums / np.maximum(count, 1)
    return values
