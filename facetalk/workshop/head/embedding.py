"""Embedding of the 478 measured points in the finished mesh."""

from __future__ import annotations

import numpy as np

from facetalk.core.landmarks import MESH_RIGHT_MOUTH_RINGS, NUM_MESH_SKIN_POINTS
from facetalk.workshop.head import parts
from facetalk.workshop.head.sculpture import Sculpture


def barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Barycentric coordinates in the plane, (p, 2) and (t, 3, 2) -> (p, t, 3)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    v0, v1 = b - a, c - a
    area = v0[:, 0] * v1[:, 1] - v0[:, 1] * v1[:, 0]
    offset = points[:, None] - a[None]
    one = (offset[..., 0] * v1[:, 1] - offset[..., 1] * v1[:, 0]) / area
    two = (v0[:, 0] * offset[..., 1] - v0[:, 1] * offset[..., 0]) / area
    return np.stack([1 - one - two, one, two], -1)


def locate_on_map(head: Sculpture, places: np.ndarray, num_sheet_faces: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangle corners and barycentric coordinates of map places, (p, 3) each."""
    faces = head.faces[:num_sheet_faces]
    near = (np.abs(head.places[faces][:, :, 0]) < 130).all(1) & (np.abs(head.places[faces][:, :, 1] + 30) < 160).all(1)
    faces = faces[near]
    weights = barycentric(places, head.places[faces])
    best = weights.min(-1).argmax(1)
    chosen = np.clip(weights[np.arange(len(places)), best], 0, None)
    return faces[best], chosen / chosen.sum(1, keepdims=True)


def nearest_on_surface(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangle corners and barycentric coordinates of the surface points nearest to `points` (p, 3)."""
    corners = vertices[faces]
    middle = corners.mean(1)
    triangles, shares = [], []
    for point in points:
        close = np.argsort(((middle - point) ** 2).sum(1))[:40]
        weights = _clamped(point, corners[close])
        gap = np.linalg.norm((corners[close] * weights[..., None]).sum(1) - point, axis=1)
        best = gap.argmin()
        triangles.append(faces[close[best]])
        shares.append(weights[best])
    return np.array(triangles), np.array(shares)


def nearest_on_midline(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `nearest_on_surface`, but only on edges that lie in the plane x = 0."""
    centerd = np.abs(vertices[faces][:, :, 0]) < 1e-6
    faces, centerd = faces[centerd.sum(1) == 2], centerd[centerd.sum(1) == 2]
    first, second = centerd.argmax(1), 2 - centerd[:, ::-1].argmax(1)
    row = np.arange(len(faces))
    start, end = vertices[faces[row, first]], vertices[faces[row, second]]
    edge = end - start
    triangles, shares = [], []
    for point in points:
        along = np.clip(((point - start) * edge).sum(1) / (edge * edge).sum(1), 0, 1)
        best = int(np.linalg.norm(start + along[:, None] * edge - point, axis=1).round(6).argmin())
        weights = np.zeros(3)
        weights[first[best]], weights[second[best]] = 1 - along[best], along[best]
        triangles.append(faces[best])
        shares.append(weights)
    return np.array(triangles).reshape(-1, 3), np.array(shares).reshape(-1, 3)


def _clamped(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Barycentric coordinates of each triangle's point nearest to `point`."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    v0, v1, v2 = b - a, c - a, point - a
    d00, d01, d11 = (v0 * v0).sum(1), (v0 * v1).sum(1), (v1 * v1).sum(1)
    d20, d21 = (v2 * v0).sum(1), (v2 * v1).sum(1)
    det = np.maximum(d00 * d11 - d01 * d01, 1e-12)
    one, two = (d11 * d20 - d01 * d21) / det, (d00 * d21 - d01 * d20) / det
    inner = np.stack([1 - one - two, one, two], 1)
    options, gaps = [], []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, edge = corners[:, i], corners[:, j] - corners[:, i]
        along = np.clip(((point - start) * edge).sum(1) / np.maximum((edge * edge).sum(1), 1e-12), 0, 1)
        weights = np.zeros((len(corners), 3))
        weights[:, i], weights[:, j] = 1 - along, along
        options.append(weights)
        gaps.append(np.linalg.norm(start + along[:, None] * edge - point, axis=1))
    on_edge = np.stack(options)[np.argmin(gaps, 0), np.arange(len(corners))]
    return np.where((inner >= 0).all(1, keepdims=True), inner, on_edge)


def iris_targets() -> np.ndarray:
    """Points 468-477: pupil, then the iris edge at +x, top, -x, bottom of the right and the left eye, mm."""
    ring = parts.IRIS_RADIUS * np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]])
    depth = np.sqrt(parts.EYE_RADIUS**2 - (ring**2).sum(1))
    front = np.concatenate([ring, depth[:, None]], 1)
    left = front + parts.EYE_CENTER
    # Both rings start on the side of the subject's left, as measured.
    right = front + np.array(parts.EYE_CENTER) * [-1, 1, 1]
    return np.concatenate([right, left])


def embed(head: Sculpture, offsets: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Triangle corners and barycentric coordinates of all 478 points.

    Args:
        head: at rest.
        offsets: (478, 3) mm, see `calibrating`; None leaves the points where they were measured on people.
    """
    triangles, weights = locate_on_map(head, head.face_at[:NUM_MESH_SKIN_POINTS], head.num_sheet_faces)
    balls = np.concatenate([head.groups["right_eyeball"], head.groups["left_eyeball"]])
    ball_faces = head.faces[np.isin(head.faces, balls).all(1)]
    iris = iris_targets()
    if offsets is None:
        found = nearest_on_surface(iris, head.points, ball_faces)
        return np.concatenate([triangles, found[0]]), np.concatenate([weights, found[1]])
    wanted = (head.points[triangles] * weights[..., None]).sum(1) + offsets[:NUM_MESH_SKIN_POINTS]
    sheet = head.faces[: head.num_sheet_faces]
    upper = np.zeros(len(head.points), bool)
    rings = head.rings["mouth"]
    upper[rings[:, np.cos(2 * np.pi * np.arange(rings.shape[1]) / rings.shape[1]) > -1e-6]] = True
    lower = np.zeros(len(head.points), bool)
    lower[rings[:, np.cos(2 * np.pi * np.arange(rings.shape[1]) / rings.shape[1]) < 1e-6]] = True
    midline = np.abs(head.face_at[:NUM_MESH_SKIN_POINTS, 0]) < 0.05
    choices = {"upper": sheet[upper[sheet].all(1)], "lower": sheet[lower[sheet].all(1)], "": sheet}
    for name, faces in choices.items():
        members = np.flatnonzero([lip_side(i, head.face_at) == name for i in range(NUM_MESH_SKIN_POINTS)])
        triangles[members], weights[members] = nearest_on_surface(wanted[members], head.points, faces)
        middle = members[midline[members]]
        triangles[middle], weights[middle] = nearest_on_midline(wanted[middle], head.points, faces)
    found = nearest_on_surface(iris + offsets[NUM_MESH_SKIN_POINTS:], head.points, ball_faces)
    return np.concatenate([triangles, found[0]]), np.concatenate([weights, found[1]])


def lip_side(number: int, face_at: np.ndarray) -> str:
    """Lip of a point; empty for mouth corners and all other points."""
    for contour in MESH_RIGHT_MOUTH_RINGS[:-1]:
        for index, member in enumerate(contour):
            same = number == member or np.allclose(face_at[number], face_at[member] * [-1, 1], atol=0.05)
            if same and index != 5:
                return "upper" if index < 5 else "lower"
    return ""
