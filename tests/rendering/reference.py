"""The renderer once more, slow and obvious: one ray a pixel, every triangle, float64, formulas written out."""

from __future__ import annotations

import numpy as np

from facetalk.core.camera import Camera
from facetalk.rendering.color import linear_to_srgb, srgb_to_linear, tone
from facetalk.rendering.lights import Studio
from facetalk.rendering.shading import BLEED
from facetalk.rendering.surface import Surface


def reference_image(surface: Surface, camera: Camera, vertices: np.ndarray, background: np.ndarray) -> np.ndarray:
    pose = camera.world_to_camera.double().numpy()
    seen = vertices.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
    normals = _normals(seen, surface.faces)
    fx, fy, cx, cy = (float(camera.K[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    image = background.copy()
    for row in range(camera.image_size[1]):
        for column in range(camera.image_size[0]):
            ray = np.array([(column + 0.5 - cx) / fx, -(row + 0.5 - cy) / fy, -1.0])
            hit = first_hit(ray, seen[surface.faces])
            if hit is not None:
                face, weights = hit
                image[row, column] = _color(surface, surface.faces[face], face, weights, normals, ray)
    return image


def _normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    normals = np.zeros_like(points)
    for face in faces:
        a, b, c = points[face]
        normals[face] += np.cross(b - a, c - a)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)


def first_hit(ray: np.ndarray, triangles: np.ndarray) -> tuple[int, np.ndarray] | None:
    """Möller and Trumbore, for all triangles; those that show their backs are passed through."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    facing = np.einsum("fc,fc->f", np.cross(b - a, c - a), a) < 0
    across = np.cross(ray, c - a)
    volume = np.einsum("fc,fc->f", b - a, across)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.einsum("fc,fc->f", -a, across) / volume
        turn = np.cross(-a, b - a)
        v = turn @ ray / volume
        distance = np.einsum("fc,fc->f", c - a, turn) / volume
    inside = facing & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0.01)
    if not inside.any():
        return None
    face = int(np.argmin(np.where(inside, distance, np.inf)))
    return face, np.array([1 - u[face] - v[face], u[face], v[face]])


def _color(
    surface: Surface, corners: np.ndarray, face: int, weights: np.ndarray, normals: np.ndarray, ray: np.ndarray
) -> np.ndarray:
    normal = weights @ normals[corners]
    normal /= np.linalg.norm(normal)
    view = -ray / np.linalg.norm(ray)
    albedo = weights @ srgb_to_linear(surface.colors[corners].astype(np.float64))
    if surface.texture is not None:
        assert surface.uv_coords is not None and surface.uv_faces is not None
        albedo = albedo * _texel(surface.texture, weights @ surface.uv_coords[surface.uv_faces[face]])
    strength, exponent = weights @ surface.gloss[corners]
    translucency = 0.0 if surface.translucency is None else weights @ surface.translucency[corners]
    exposure = 1.0 if surface.exposure is None else weights @ surface.exposure[corners]
    studio = Studio()
    up = 0.5 + 0.5 * normal[1]
    diffuse = np.array(studio.sky) * up + np.array(studio.ground) * (1 - up)
    shine = np.zeros(3)
    for light in studio.lights:
        direction = np.array(light.direction)
        facing = normal @ direction
        wrap = light.softness + translucency * np.array(BLEED)
        diffuse = diffuse + light.color * np.maximum(facing + wrap, 0) / (1 + wrap) ** 2
        half = direction + view
        lobe = max(1 - exponent * (1 - normal @ half / np.linalg.norm(half)) / 64, 0) ** 64
        shine = shine + np.array(light.color) * lobe * light.highlight * np.clip(8 * facing, 0, 1)
    gloss = strength * (1 + 2 * (1 - np.clip(normal @ view, 0, 1)) ** 4)
    return np.round(255 * linear_to_srgb(tone(exposure * (albedo * diffuse + gloss * shine))))


def _texel(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    rows, columns = texture.shape[:2]
    x = np.clip(uv[0] * columns - 0.5, 0, columns - 1)
    y = np.clip((1 - uv[1]) * rows - 0.5, 0, rows - 1)
    total = np.zeros(3)
    for row, down in ((int(y), 1 - y % 1), (min(int(y) + 1, rows - 1), y % 1)):
        for column, along in ((int(x), 1 - x % 1), (min(int(x) + 1, columns - 1), x % 1)):
            total += down * along * srgb_to_linear(texture[row, column] / 255)
    return total
