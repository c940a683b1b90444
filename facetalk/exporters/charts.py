"""Flat charts of a mesh: triangles laid out side by side in a texture, each with room for its own color.

Faces are grouped by the coordinate axis that they look along, and each connected group is projected along that axis.
Eyeballs get a disc around the direction of gaze instead, with the iris in the middle, as texture artists expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from facetalk.exporters.baking import covered_texels
from facetalk.head.bare_mesh import fit_eyeball

MARGIN = 4
"""Free texels around each chart, so that filtering never mixes neighbors."""

# Direction of view, then the chart's axes to the right and up, seen from outside.
_VIEWS = np.array(
    [
        [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[-1, 0, 0], [0, 0, 1], [0, 1, 0]],
        [[0, 1, 0], [1, 0, 0], [0, 0, -1]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
        [[0, 0, -1], [-1, 0, 0], [0, 1, 0]],
    ],
    np.float64,
)
_STEEPEST = 0.25
"""Least cosine between a face and the direction that it is projected along, unless no direction fits better."""
_COMPANY = 0.2
"""Bonus of a direction for each neighbor that looks the same way: fewer, larger charts."""
_TEXELS_TO_TELL, _MOST_TEXELS = 32, 1024
"""Size of a face, and of the image, in which is seen which faces lie on others."""
_LEAST_ROOM = 0.15
"""Scale of the charts with the largest triangles: colors at vertices have no more detail than that."""
_BACK_RAD = 0.75 * np.pi
"""Faces of an eyeball farther from the gaze than this are not part of the disc."""
_EYE_SCALE = 2.0
"""Enlargement of an eye's disc."""


class Chart(NamedTuple):
    """Some triangles in a plane."""

    faces: Int[np.ndarray, " members"]
    corners: Float[np.ndarray, "members 3 2"]
    """Right and up, in meters or a little less where there is no detail; the lower left corner of all is the origin."""


def charts_of(
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    members: Int[np.ndarray, " members"],
) -> list[Chart]:
    """Cover some faces with charts.

    Args:
        vertices: mesh at rest, meters.
        faces: all triangles of the mesh.
        members: the faces to cover.
    """
    if len(members) == 0:
        return []
    triangles = vertices[faces[members]].astype(np.float64)
    neighbors = _neighbors(faces[members])
    view = _views(_unit_normals(triangles), neighbors)
    side = np.linalg.norm(triangles[:, 1] - triangles[:, 0], axis=1)
    usual, charts = float(np.median(side)), []
    waiting = _connected(neighbors[:, view[neighbors[0]] == view[neighbors[1]]], np.arange(len(members)))
    while waiting:
        rows = waiting.pop()
        seen = triangles[rows] @ _VIEWS[view[rows[0]]].T
        hidden = _hidden(seen[..., 1:], -seen[..., 0])
        if hidden.any() and not hidden.all():
            pairs = neighbors[:, view[neighbors[0]] == view[neighbors[1]]]
            waiting += _connected(pairs, rows[hidden]) + _connected(pairs, rows[~hidden])
            continue
        room = np.clip(usual / max(float(np.median(side[rows])), 1e-9), _LEAST_ROOM, 1)
        charts.append(_chart(members[rows], room * seen[..., 1:]))
    return charts


def islands(faces: Int[np.ndarray, "faces 3"]) -> list[Int[np.ndarray, " group"]]:
    """Groups of faces that are connected by their edges."""
    return _connected(_neighbors(faces), np.arange(len(faces))) if len(faces) else []


def _connected(pairs: Int[np.ndarray, "2 pairs"], rows: Int[np.ndarray, " rows"]) -> list[Int[np.ndarray, " group"]]:
    """Groups of rows that are connected by pairs of them."""
    place = np.full(max(int(pairs.max(initial=0)), int(rows.max())) + 1, -1)
    place[rows] = np.arange(len(rows))
    first, second = place[pairs[:, (place[pairs] >= 0).all(0)]]
    graph = coo_matrix((np.ones(len(first)), (first, second)), (len(rows), len(rows)))
    _, group = connected_components(graph, directed=False)
    order = np.argsort(group, kind="stable")
    return [rows[part] for part in np.split(order, np.flatnonzero(np.diff(group[order])) + 1)]


def _hidden(
    corners: Float[np.ndarray, "members 3 2"], depth: Float[np.ndarray, "members 3"]
) -> Bool[np.ndarray, " members"]:
    """Faces that lie under others, such as the hollow of an ear under its rim, by how little of them is seen."""
    areas = _double_areas(corners) / 2
    low, size = corners.reshape(-1, 2).min(0), np.ptp(corners.reshape(-1, 2), axis=0).max()
    scale = min(np.sqrt(_TEXELS_TO_TELL / max(float(np.median(areas)), 1e-15)), _MOST_TEXELS / max(float(size), 1e-9))
    width, height = (int(length) for length in np.ceil(np.ptp(corners.reshape(-1, 2), axis=0) * scale) + 1)
    nearness = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-9)
    texels = covered_texels((corners - low) * scale, width, height, 1 + nearness)
    seen = np.bincount(texels.corners[:, 0] // 3, minlength=len(corners))
    return seen < 0.5 * areas * scale**2 - 2


def eye_charts(
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    members: Int[np.ndarray, " members"],
    eyeball: Int[np.ndarray, " ball"],
) -> list[Chart]:
    """Cover the faces of one eyeball: a disc around the gaze, and charts of the back.

    The distance from the disc's center grows with the square root of the angle from the gaze: half of the disc's radius
    belongs to the iris and what surrounds it.
    """
    ball = fit_eyeball(vertices, eyeball)
    place = (vertices[faces[members]] - ball.center) @ ball.basis.T
    angle = np.arctan2(np.hypot(place[..., 0], place[..., 1]), place[..., 2])
    front = angle.max(1) < _BACK_RAD
    radius = float(np.linalg.norm(place, axis=2).mean())
    turn = np.arctan2(place[front, :, 1], place[front, :, 0])
    reach = _EYE_SCALE * radius * np.sqrt(angle[front] / _BACK_RAD)
    disc = reach[..., None] * np.stack([np.cos(turn), np.sin(turn)], 2)
    # A face around the gaze itself would be stretched by the square root; it keeps its place well enough.
    upright = _double_areas(disc) > 0
    kept = np.flatnonzero(front)[upright]
    rest = np.setdiff1d(np.arange(len(members)), kept)
    discs = [_chart(members[kept], disc[upright])] if len(kept) else []
    return discs + charts_of(vertices, faces, members[rest])


def packed(charts: Sequence[Chart], width: int, height: int) -> list[Float[np.ndarray, "members 3 2"]]:
    """Place charts in a rectangle, as large as they all fit; returns the corners in texels, right and up.

    Args:
        charts: what to place.
        width: of the rectangle, texels.
        height: of the rectangle, texels.
    """
    sizes = np.array([chart.corners.reshape(-1, 2).max(0) for chart in charts]).reshape(-1, 2)
    fits, too_large = 0.0, float(max(width, height) / max(float(sizes.max(initial=0)), 1e-9))
    best = None
    for _ in range(24):
        scale = (fits + too_large) / 2
        places = _shelves(sizes * scale, width, height)
        if places is None:
            too_large = scale
        else:
            fits, best = scale, places
    if best is None:
        raise ValueError(f"{len(charts)} charts do not fit into {width} x {height} texels")
    return [chart.corners * fits + place for chart, place in zip(charts, best, strict=True)]


def _shelves(sizes: Float[np.ndarray, "charts 2"], width: int, height: int) -> Float[np.ndarray, "charts 2"] | None:
    """Lower left corners of boxes on shelves from the tallest to the lowest; None if they need more room."""
    boxes = np.ceil(sizes) + 2 * MARGIN + 1
    places = np.zeros((len(boxes), 2))
    right = bottom = top = 0.0
    for number in np.lexsort((-boxes[:, 0], -boxes[:, 1])):
        if right + boxes[number, 0] > width:
            right, bottom = 0.0, top
        if boxes[number, 0] > width or bottom + boxes[number, 1] > height:
            return None
        places[number] = right + MARGIN + 0.5, bottom + MARGIN + 0.5
        right, top = right + boxes[number, 0], max(top, bottom + boxes[number, 1])
    return places


def _chart(members: np.ndarray, corners: np.ndarray) -> Chart:
    return Chart(members, corners - corners.reshape(-1, 2).min(0))


def _double_areas(corners: Float[np.ndarray, "members 3 2"]) -> Float[np.ndarray, " members"]:
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]


def _unit_normals(triangles: np.ndarray) -> np.ndarray:
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _neighbors(faces: Int[np.ndarray, "faces 3"]) -> Int[np.ndarray, "2 pairs"]:
    """Pairs of faces that share an edge."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    owner = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    same = (edges[order[1:]] == edges[order[:-1]]).all(1)
    return np.stack([owner[order[:-1]][same], owner[order[1:]][same]])


def _views(normals: np.ndarray, neighbors: np.ndarray) -> np.ndarray:
    """Row of `_VIEWS` that each face is projected along."""
    facing = normals @ _VIEWS[:, 0].T
    fit = np.where((facing >= _STEEPEST) | (facing == facing.max(1, keepdims=True)), facing, -np.inf)
    view = fit.argmax(1)
    first, second = np.concatenate([neighbors, neighbors[::-1]], 1)
    for _ in range(4):
        company = np.zeros_like(facing)
        np.add.at(company, (first, view[second]), _COMPANY)
        view = (fit + company).argmax(1)
    return view
