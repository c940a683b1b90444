"""Small meshes and cameras for the renderer's tests."""

from __future__ import annotations

import numpy as np
import torch

from facetalk.core.camera import Camera
from facetalk.rendering.surface import Surface


def ball(radius: float = 0.1, rings: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces of a sphere around the origin, and which side of it is out."""
    theta = np.linspace(0, np.pi, rings + 1)[:, None]
    phi = np.arange(2 * rings)[None, :] * np.pi / rings
    grid = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta) + 0 * phi, -np.sin(theta) * np.sin(phi)], -1)
    row, column = np.divmod(np.arange(rings * 2 * rings), 2 * rings)
    after = (column + 1) % (2 * rings)
    a, b = row * 2 * rings + column, row * 2 * rings + after
    faces = np.concatenate([np.stack([a, a + 2 * rings, b], 1), np.stack([b, a + 2 * rings, b + 2 * rings], 1)])
    vertices = grid.reshape(-1, 3) * radius
    normal = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    faces = faces[np.linalg.norm(normal, axis=1) > 1e-9]
    return vertices.astype(np.float32), faces


def paint(num_vertices: int, faces: np.ndarray, seed: int = 0) -> Surface:
    """A surface of random colors, gloss, translucency and exposure."""
    generator = np.random.default_rng(seed)
    gloss = np.stack([generator.uniform(0, 0.8, num_vertices), generator.uniform(5, 80, num_vertices)], 1)
    return Surface(
        faces=faces,
        colors=generator.uniform(0, 1, (num_vertices, 3)).astype(np.float32),
        gloss=gloss.astype(np.float32),
        translucency=generator.uniform(0, 1, num_vertices).astype(np.float32),
        exposure=generator.uniform(0.3, 1, num_vertices).astype(np.float32),
    )


def plain(num_vertices: int, faces: np.ndarray, color: tuple[float, float, float] = (0.8, 0.6, 0.5)) -> Surface:
    """A matt surface of one color."""
    rows = np.ones((num_vertices, 1), np.float32)
    return Surface(faces, rows * np.array([color], np.float32), rows * np.array([[0.0, 10.0]], np.float32))


def looking(size: tuple[int, int] = (48, 40), focal: float = 60.0, distance: float = 0.5) -> Camera:
    """A camera on the z axis that looks at the origin; not quite in its middle, so that mix-ups show."""
    pose = torch.eye(4)
    pose[2, 3] = -distance
    K = torch.tensor([[focal, 0.0, size[0] / 2 + 1.3], [0.0, focal * 1.1, size[1] / 2 - 0.7], [0.0, 0.0, 1.0]])
    return Camera(K, size, pose)
