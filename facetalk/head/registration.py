"""Registration of one head to another: a smooth warp through known point pairs, refined with nearest surface points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Warp:
    """A smooth map of space: an affine part plus a biharmonic displacement."""

    anchors: Float[np.ndarray, "anchors 3"]
    bend: Float[np.ndarray, "anchors 3"]
    affine: Float[np.ndarray, "4 3"]

    def __call__(self, points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
        """Warp points."""
        parts = []
        for start in range(0, len(points), 4096):
            block = points[start : start + 4096]
            distance = np.linalg.norm(block[:, None] - self.anchors, axis=-1)
            parts.append(distance @ self.bend + block @ self.affine[1:] + self.affine[0])
        return np.concatenate(parts) if parts else points.copy()


def fit_warp(
    source: Float[np.ndarray, "pairs 3"],
    target: Float[np.ndarray, "pairs 3"],
    looseness: Float[np.ndarray, " pairs"] | float = 0.0,
) -> Warp:
    """Fit the biharmonic warp (kernel r, minimal bending energy in space) that maps each source point to its target.

    Args:
        source: points before the warp.
        target: points after the warp.
        looseness: tolerance of each pair in favor of smoothness, meters; 0 interpolates.
    """
    count = len(source)
    kernel = np.linalg.norm(source[:, None] - source, axis=-1)
    kernel[np.diag_indices(count)] -= looseness  # the kernel is conditionally negative
    flat = np.concatenate([np.ones((count, 1)), source], 1)
    system = np.block([[kernel, flat], [flat.T, np.zeros((4, 4))]])
    answer = np.linalg.solve(system, np.concatenate([target, np.zeros((4, 3))]))
    return Warp(source.copy(), answer[:count], answer[count:])


def similarity(
    source: Float[np.ndarray, "points 3"], target: Float[np.ndarray, "points 3"]
) -> tuple[float, Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """Fit `scale * source @ rotation.T + translation` to the target by least squares (Umeyama 1991)."""
    source_center, target_center = source.mean(0), target.mean(0)
    spread = source - source_center
    u, values, vt = np.linalg.svd((target - target_center).T @ spread)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((values * sign).sum() / (spread**2).sum())
    return scale, rotation, target_center - scale * rotation @ source_center


def vertex_normals(
    vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "vertices 3"]:
    """Area-weighted unit normals; zero at vertices without a face."""
    corners = vertices[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices, dtype=np.float64)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], flat)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


@dataclass(frozen=True, eq=False)
class OnSurface:
    """Nearest points on a surface."""

    faces: Int[np.ndarray, " points"]
    """Triangle indices."""
    barycentric: Float[np.ndarray, "points 3"]
    distance: Float[np.ndarray, " points"]


def nearest_on_surface(
    points: Float[np.ndarray, "points 3"],
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    normals: Float[np.ndarray, "points 3"] | None = None,
    candidates: int = 24,
) -> OnSurface:
    """Find the nearest point of a mesh to each point, preferring triangles that face the same way if normals are given.

    Args:
        points: query points.
        vertices: of the mesh.
        faces: of the mesh.
        normals: direction of the surface at each point; triangles that differ by more than 90 degrees are penalized by
            20 mm.
        candidates: number of triangles, by distance of their centers, that are examined.
    """
    from scipy.spatial import KDTree

    corners = vertices[faces].astype(np.float64)
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-20)
    count = min(candidates, len(faces))
    _, near = KDTree(corners.mean(1)).query(points, count)
    near = near.reshape(len(points), count)
    weights = _closest_weights(points[:, None], corners[near])
    gap = np.linalg.norm((corners[near] * weights[..., None]).sum(2) - points[:, None], axis=-1)
    cost = gap
    if normals is not None:
        cost = gap + 0.02 * ((flat[near] * normals[:, None]).sum(-1) < 0)
    best = cost.argmin(1)
    rows = np.arange(len(points))
    return OnSurface(near[rows, best], weights[rows, best], gap[rows, best])


def _closest_weights(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Barycentric coordinates of the nearest point of each triangle, (..., 3)."""
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    inside = _plane_weights(points, a, b, c)
    best, least = inside, np.where((inside >= 0).all(-1), 0.0, np.inf)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, edge = corners[..., first, :], corners[..., second, :] - corners[..., first, :]
        along = ((points - start) * edge).sum(-1) / np.maximum((edge * edge).sum(-1), 1e-20)
        along = along.clip(0, 1)
        distance = np.linalg.norm(start + along[..., None] * edge - points, axis=-1)
        weights = np.zeros_like(inside)
        weights[..., first], weights[..., second] = 1 - along, along
        closer = distance < least
        best, least = np.where(closer[..., None], weights, best), np.where(closer, distance, least)
    return best


def _plane_weights(points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    v0, v1, v2 = b - a, c - a, points - a
    d00, d01, d11 = (v0 * v0).sum(-1), (v0 * v1).sum(-1), (v1 * v1).sum(-1)
    d20, d21 = (v2 * v0).sum(-1), (v2 * v1).sum(-1)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-30)
    second, third = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    return np.stack([1 - second - third, second, third], -1)


def register(
    source: Float[np.ndarray, "source_vertices 3"],
    source_normals: Float[np.ndarray, "source_vertices 3"],
    target: Float[np.ndarray, "target_vertices 3"],
    target_faces: Int[np.ndarray, "target_faces 3"],
    source_pairs: Float[np.ndarray, "pairs 3"],
    target_pairs: Float[np.ndarray, "pairs 3"],
    rounds: int = 8,
    num_anchors: int = 500,
) -> Warp:
    """Fit a warp from the source's surface to the target's: from pairs first, then from ever closer nearest points.

    Args:
        source: points of the source's surface.
        source_normals: outward normals at these points.
        target: vertices of the other head.
        target_faces: triangles of the target's surface.
        source_pairs: known points of the source.
        target_pairs: the same points of the target.
        rounds: number of nearest-point searches.
        num_anchors: number of source points used.
    """
    _, rotation, _ = similarity(source_pairs, target_pairs)
    warp = fit_warp(source_pairs, target_pairs, 0.001)
    picks = spread_points(source, num_anchors)
    anchors, normals = source[picks], source_normals[picks] @ rotation.T
    pair_looseness = np.full(len(source_pairs), 0.004)
    for step in range(rounds):
        moved = warp(anchors)
        found = nearest_on_surface(moved, target, target_faces, normals)
        goal = (target[target_faces[found.faces]] * found.barycentric[..., None]).sum(1)
        reach = 0.03 * 0.7**step + 0.004
        kept = found.distance < reach
        looseness = np.concatenate([pair_looseness, np.full(int(kept.sum()), 0.02 * 0.6**step + 0.0005)])
        warp = fit_warp(
            np.concatenate([source_pairs, anchors[kept]]), np.concatenate([target_pairs, goal[kept]]), looseness
        )
    return warp


def spread_points(points: Float[np.ndarray, "points 3"], count: int) -> Int[np.ndarray, " picks"]:
    """Farthest-point sampling: rows of points, each the furthest from those before."""
    count = min(count, len(points))
    picks = np.zeros(count, np.int64)
    nearest = np.linalg.norm(points - points[0], axis=1)
    for number in range(1, count):
        picks[number] = nearest.argmax()
        nearest = np.minimum(nearest, np.linalg.norm(points - points[picks[number]], axis=1))
    return picks


def slide(
    triangles: Int[np.ndarray, "points 3"],
    barycentric: Float[np.ndarray, "points 3"],
    offsets: Float[np.ndarray, "points 3"],
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    slack: float = 0.004,
) -> tuple[Int[np.ndarray, "points 3"], Float[np.ndarray, "points 3"]]:
    """Slide points along a surface to the reachable place nearest to their offset position.

    A point stays on its own lip or eyelid, however close the other one is, because the path along the skin is long.

    Args:
        triangles: corners of each point's triangle.
        barycentric: barycentric coordinates in it.
        offsets: wanted displacement of each point, meters.
        vertices: of the mesh.
        faces: of the mesh.
        slack: tolerated excess of the path along the edges over the offset, meters.
    """
    reach = np.linalg.norm(offsets, axis=1) + slack
    start = (vertices[triangles] * barycentric[..., None]).sum(1)
    distance = _edge_distances(triangles[np.arange(len(triangles)), barycentric.argmax(1)], vertices, faces, reach)
    moved_triangles, moved_weights = triangles.copy(), barycentric.astype(np.float64)
    for row in range(len(triangles)):
        near = faces[(distance[row][faces] <= reach[row]).any(1)]
        if len(near) == 0:
            continue
        weights = _closest_weights((start[row] + offsets[row])[None, None], vertices[near][None])[0]
        gap = np.linalg.norm((vertices[near] * weights[..., None]).sum(1) - start[row] - offsets[row], axis=1)
        best = int(gap.argmin())
        moved_triangles[row], moved_weights[row] = near[best], weights[best]
    return moved_triangles, moved_weights


def _edge_distances(
    sources: np.ndarray, vertices: np.ndarray, faces: np.ndarray, reach: np.ndarray
) -> Float[np.ndarray, "points vertices"]:
    """Length of the shortest path along the edges from some vertices to all; infinite beyond the largest reach."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import dijkstra

    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    ends = np.unique(np.sort(ends, 1), axis=0)
    length = np.maximum(np.linalg.norm(vertices[ends[:, 0]] - vertices[ends[:, 1]], axis=1), 1e-9)
    graph = coo_matrix((length, (ends[:, 0], ends[:, 1])), (len(vertices), len(vertices))).tocsr()
    return dijkstra(graph, directed=False, indices=sources, limit=float(reach.max()))
