from __future__ import annotations

import numpy as np
import pytest
import torch

from facetalk.rendering.differentiable import (
    Projected,
    orthographic,
    perspective,
    rasterize,
    render_shaded,
    smooth_normals,
)
from facetalk.rendering.harmonics import harmonics, shade, solve_light
from tests.rendering.meshes import ball


def scene(rings: int = 5, frames: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Vertices of a bumpy ball half a meter away, its faces, and intrinsics."""
    vertices, faces = ball(0.1, rings)
    generator = torch.Generator().manual_seed(0)
    points = torch.from_numpy(vertices).double().expand(frames, -1, -1)
    points = points + 0.004 * torch.randn(points.shape, generator=generator, dtype=torch.float64)
    K = torch.tensor([[30.0, 0, 8.3], [0, 33.0, 7.6], [0, 0, 1]], dtype=torch.float64).expand(frames, 3, 3)
    return points + torch.tensor([0.0, 0.0, -0.5]), torch.from_numpy(faces).long(), K


def light(frames: int) -> torch.Tensor:
    return 1 + torch.rand(frames, 9, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def plain_image(
    vertices: np.ndarray, faces: np.ndarray, K: np.ndarray, albedo: np.ndarray, lamp: np.ndarray, size: int
) -> np.ndarray:
    """One ray a pixel, every triangle, formulas written out."""
    normals = np.zeros_like(vertices)
    for face in faces:
        a, b, c = vertices[face]
        normals[face] += np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    image = np.zeros((3, size, size))
    for row in range(size):
        for column in range(size):
            ray = np.array([(column + 0.5 - K[0, 2]) / K[0, 0], -(row + 0.5 - K[1, 2]) / K[1, 1], -1.0])
            nearest = np.inf
            for face in faces:
                a, b, c = vertices[face]
                across = np.cross(b - a, c - a)
                if across @ ray >= 0:
                    continue
                depth = across @ a / (across @ ray)
                hit = depth * ray
                weights = np.linalg.lstsq(np.vstack([vertices[face].T, np.ones(3)]), np.append(hit, 1), rcond=None)[0]
                if weights.min() >= 0 and depth < nearest:
                    nearest = depth
                    x, y, z = weights @ normals[face] / np.linalg.norm(weights @ normals[face])
                    basis = np.array([1, x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1])
                    strength = np.array([0.28209479, *[1.02332671] * 3, *[0.85808553] * 3, 0.42904277, 0.24770796])
                    image[:, row, column] = (weights @ albedo[face]) * ((basis * strength) @ lamp)
    return image


@pytest.mark.slow
def test_images_agree_with_one_ray_per_pixel() -> None:
    vertices, faces, K = scene()
    albedo = torch.rand(vertices.shape[1], 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    image = render_shaded(vertices, perspective(vertices, K), faces, albedo, light(2), (16, 16))
    for frame in range(2):
        expected = plain_image(
            vertices[frame].numpy(), faces.numpy(), K[frame].numpy(), albedo.numpy(), light(2)[frame].numpy(), 16
        )
        np.testing.assert_allclose(image[frame, :3].numpy(), expected, atol=1e-6)
        assert (expected.any(0) == (image[frame, 3].numpy() > 0)).all()


@pytest.mark.parametrize("camera", ["perspective", "orthographic"])
def test_gradients_agree_with_finite_differences_on_inner_pixels(camera: str) -> None:
    vertices, faces, K = scene(rings=4, frames=1)
    albedo = torch.rand(vertices.shape[1], 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def look(points: torch.Tensor, lens: torch.Tensor) -> Projected:
        return perspective(points, lens) if camera == "perspective" else orthographic(points, lens, 16)

    lens = K if camera == "perspective" else torch.tensor([[5.0, 0.01, -0.02]], dtype=torch.float64)
    inside = rasterize(look(vertices, lens), faces, (16, 16)).barycentric.amin(1) > 0.05
    assert inside.sum() > 20

    def colors(points: torch.Tensor, lens: torch.Tensor, paint: torch.Tensor, lamp: torch.Tensor) -> torch.Tensor:
        seen = rasterize(look(points, lens), faces, (16, 16))
        values = seen.interpolate(torch.cat([smooth_normals(points, faces), paint.expand(1, -1, -1)], -1))
        normals = torch.nn.functional.normalize(values[:, :3], dim=-1)
        return shade(normals, values[:, 3:], lamp[seen.frame])[inside]

    inputs = [value.clone().requires_grad_() for value in (vertices, lens, albedo, light(1))]
    assert torch.autograd.gradcheck(colors, inputs, eps=1e-6, atol=1e-5, fast_mode=True)


def test_barycentric_weights_place_a_pixel_on_its_ray() -> None:
    vertices, faces, K = scene()
    seen = rasterize(perspective(vertices, K), faces, (16, 16))
    on_surface = seen.interpolate(vertices)
    u = K[0, 0, 2] + K[0, 0, 0] * on_surface[:, 0] / -on_surface[:, 2]
    v = K[0, 1, 2] - K[0, 1, 1] * on_surface[:, 1] / -on_surface[:, 2]
    torch.testing.assert_close(u, seen.place.double() % 16 + 0.5)
    torch.testing.assert_close(v, (seen.place // 16).double() + 0.5)


def test_a_scaled_orthographic_camera_shows_the_nearer_of_two_triangles_and_flips_y() -> None:
    corner = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [-1, 1, 0]])
    points = torch.cat([corner, corner + torch.tensor([0.0, 0, 0.3])])[None]
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    seen = rasterize(orthographic(points, torch.tensor([[1.0, 0.0, 0.0]]), 8), faces, (8, 8))
    assert set(seen.corners.flatten().tolist()) == {3, 4, 5}
    covered = seen.image(torch.ones(len(seen.place), 1))[0, 0]
    assert covered[7, 0] == 1 and covered[0, 7] == 0


def test_a_batch_renders_like_its_frames_alone() -> None:
    vertices, faces, K = scene(frames=3)
    albedo = torch.ones(vertices.shape[1], 3, dtype=torch.float64)
    together = render_shaded(vertices, perspective(vertices, K), faces, albedo, light(3), (16, 16))
    for frame in range(3):
        part = slice(frame, frame + 1)
        alone = render_shaded(
            vertices[part], perspective(vertices[part], K[part]), faces, albedo, light(3)[part], (16, 16)
        )
        torch.testing.assert_close(together[part], alone)


def test_smooth_normals_of_a_ball_point_outwards() -> None:
    vertices, faces = ball(0.1, 16)
    normals = smooth_normals(torch.from_numpy(vertices)[None], torch.from_numpy(faces).long())[0]
    touched = normals.norm(dim=1) > 0
    assert (normals * torch.from_numpy(vertices) / 0.1).sum(1)[touched].min() > 0.97


def test_light_is_found_again_from_shaded_points() -> None:
    generator = torch.Generator().manual_seed(3)
    normals = torch.nn.functional.normalize(torch.randn(4000, 3, generator=generator), dim=1)
    albedo = torch.rand(4000, 3, generator=generator)
    lamp = torch.rand(9, 3, generator=generator) + torch.eye(9)[:, :1]
    found = solve_light(normals, albedo, shade(normals, albedo, lamp.expand(4000, 9, 3)), ridge=0.0)
    torch.testing.assert_close(found, lamp, atol=1e-3, rtol=1e-3)


def test_harmonics_of_even_light_do_not_depend_on_the_normal() -> None:
    normals = torch.nn.functional.normalize(torch.randn(10, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    assert harmonics(normals)[:, 0].std() == 0
