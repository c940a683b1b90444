from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from facetalk.core.camera import Camera
from facetalk.rendering.renderer import CpuRenderer
from facetalk.rendering.surface import Surface
from tests.rendering.meshes import ball, looking, paint, plain
from tests.rendering.reference import reference_image


def scene() -> tuple[Surface, np.ndarray]:
    """Two balls, the nearer one, whose surface is half skin, before the farther one."""
    vertices, faces = ball()
    both = np.concatenate([vertices, vertices * np.float32(0.6) + np.array([0.06, 0.03, 0.15], np.float32)])
    faces = np.concatenate([faces, faces + len(vertices)])
    surface = paint(len(both), faces)
    assert surface.translucency is not None
    skin = (np.arange(len(both)) >= len(vertices)) & (both[:, 0] > 0.06)
    return replace(surface, translucency=np.where(skin, np.float32(1), surface.translucency)), both


def square(near: float, far: float, size: float = 0.1) -> np.ndarray:
    """A square whose left edge is at one depth and whose right edge is at another."""
    return np.array([[-size, -size, near], [size, -size, far], [size, size, far], [-size, size, near]], np.float32)


SQUARE_FACES = np.array([[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize("size", [(48, 40), (45, 31), (5, 3), (1, 2)])
def test_the_image_is_that_of_a_plain_ray_caster(size: tuple[int, int]) -> None:
    surface, vertices = scene()
    camera = looking(size)
    renderer = CpuRenderer(surface, camera, antialias=False)
    image = renderer.render(vertices)
    reference = reference_image(surface, camera, vertices, renderer.background)
    difference = np.abs(image.astype(int) - reference.astype(int)).max(-1)
    # A pixel whose center lies on an edge may fall to either side.
    assert (difference > 1).sum() <= 2
    assert (image != renderer.background).any(-1).sum() > 0.15 * size[0] * size[1]


def test_a_texture_is_read_between_texels_in_linear_light() -> None:
    vertices = square(-0.1, 0.1)
    generator = np.random.default_rng(0)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    surface = replace(
        plain(4, SQUARE_FACES, (1.0, 0.9, 0.8)),
        uv_coords=corners,
        uv_faces=SQUARE_FACES,
        texture=generator.integers(0, 256, (7, 5, 3), dtype=np.uint8),
    )
    camera = looking()
    renderer = CpuRenderer(surface, camera, antialias=False)
    difference = renderer.render(vertices).astype(int) - reference_image(surface, camera, vertices, renderer.background)
    assert (np.abs(difference).max(-1) > 1).sum() <= 2


def test_values_are_interpolated_in_space_not_on_the_screen() -> None:
    dark_to_bright = np.array([[0.0] * 3, [1.0] * 3, [1.0] * 3, [0.0] * 3], np.float32)
    surface = replace(plain(4, SQUARE_FACES), colors=dark_to_bright)
    camera = looking((64, 64), focal=64.0)
    image = CpuRenderer(surface, camera, antialias=False).render(square(near=0.3, far=-0.5))
    covered = np.flatnonzero((image != CpuRenderer(surface, camera).background).any(-1)[32])
    levels = image[32, covered].mean(-1)
    # The middle of the square, half as bright in linear light as its far end, is seen near the far end.
    linear = (levels / 255) ** 2.2
    middle = np.interp(0.5 * linear[-1], linear, (np.arange(len(covered)) + 0.5) / len(covered))
    # Depths 0.2 and 1.0 at the ends; x over depth at the middle: 0 of -0.5 .. 0.1.
    assert middle == pytest.approx(0.5 / 0.6, abs=0.06)


def test_the_nearer_surface_hides_the_farther_in_any_order() -> None:
    near, far = square(0.1, 0.1, 0.03), square(-0.2, -0.2)
    colors = np.repeat(np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1]], np.float32), 4, 0)
    gloss = np.tile(np.array([[0, 10]], np.float32), (8, 1))
    faces = np.concatenate([SQUARE_FACES, SQUARE_FACES + 4])
    vertices = np.concatenate([near, far])
    first = CpuRenderer(Surface(faces, colors, gloss), looking()).render(vertices)
    second = CpuRenderer(Surface(faces[::-1].copy(), colors, gloss), looking()).render(vertices)
    np.testing.assert_array_equal(first, second)
    red, green = first[..., 0] > 2 * first[..., 1].astype(int), first[..., 1] > 2 * first[..., 0].astype(int)
    assert red[19, 25] and green[19, 18] and red.sum() > 20 and green.sum() > 100


def test_backs_are_not_drawn() -> None:
    renderer = CpuRenderer(plain(4, SQUARE_FACES[:, ::-1].copy()), looking())
    np.testing.assert_array_equal(renderer.render(square(0, 0)), renderer.background)


@pytest.mark.parametrize(
    "shift",
    [[0, 0, 0.5], [0, 0, 0.45], [0, 0, 2], [5, 0, 0], [-0.2, 0.15, 0], [0, -9, 0.49], [0, 0, -1e6], [1e7, 0, 0]],
)
def test_triangles_behind_around_and_beside_the_camera_are_safe(shift: list[float]) -> None:
    surface, vertices = scene()
    moved = vertices + np.array(shift, np.float32)
    renderer = CpuRenderer(surface, looking())
    assert renderer.render(moved).shape == (40, 48, 3)


def test_a_floor_that_reaches_behind_the_camera_is_cut_not_lost() -> None:
    floor = np.array([[-2, -0.1, 2], [2, -0.1, 2], [2, -0.1, -4], [-2, -0.1, -4]], np.float32)
    surface, camera = plain(4, SQUARE_FACES), looking()
    renderer = CpuRenderer(surface, camera, antialias=False)
    image = renderer.render(floor)
    reference = reference_image(surface, camera, floor, renderer.background)
    assert (np.abs(image.astype(int) - reference.astype(int)).max(-1) > 1).sum() <= 2
    assert (image[-1] != renderer.background[-1]).any(-1).all()


def test_neighboring_triangles_leave_no_crack() -> None:
    generator = np.random.default_rng(3)
    count = 40
    x, y = np.meshgrid(np.linspace(-1, 1, count), np.linspace(-1, 1, count))
    grid = np.stack([x, y, generator.uniform(-0.01, 0.01, x.shape)], -1).reshape(-1, 3).astype(np.float32)
    grid[:, :2] += generator.uniform(-0.01, 0.01, (len(grid), 2)).astype(np.float32)
    start = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    faces = np.concatenate([np.stack([start, start + 1, start + count + 1], 1),
                            np.stack([start, start + count + 1, start + count], 1)])  # fmt: skip
    renderer = CpuRenderer(plain(len(grid), faces), looking((160, 120), focal=80.0), antialias=False,
                           background=np.full((120, 160, 3), (255, 0, 255), np.uint8))  # fmt: skip
    assert not (renderer.render(grid) == (255, 0, 255)).all(-1).any()


def test_smooth_edges_come_close_to_heavy_supersampling() -> None:
    painted, vertices = scene()
    surface = plain(len(vertices), painted.faces)
    small, factor = (48, 40), 8
    black = np.zeros((small[1], small[0], 3), np.uint8)
    camera = looking(small)
    large = Camera(camera.K * torch.tensor([[factor], [factor], [1]]), (small[0] * factor, small[1] * factor),
                   camera.world_to_camera)  # fmt: skip
    many = CpuRenderer(surface, large, antialias=False, background=black.repeat(factor, 0).repeat(factor, 1))
    linear = (many.render(vertices) / 255.0) ** 2.2
    truth = 255 * linear.reshape(small[1], factor, small[0], factor, 3).mean((1, 3)) ** (1 / 2.2)
    error = {
        smooth: np.abs(CpuRenderer(surface, camera, background=black, antialias=smooth).render(vertices) - truth).mean()
        for smooth in (False, True)
    }
    assert error[True] < 0.35 * error[False]


@pytest.mark.parametrize("width", [3, 41, 47])
def test_a_narrower_image_shows_a_part_of_a_wider_one(width: int) -> None:
    surface, vertices = scene()
    camera, black = looking((48, 40)), np.zeros((40, 48, 3), np.uint8)
    narrow = Camera(camera.K, (width, 40), camera.world_to_camera)
    whole = CpuRenderer(surface, camera, background=black).render(vertices)
    part = CpuRenderer(surface, narrow, background=black[:, :width]).render(vertices)
    # The edges between the last column and what is cut off are missing.
    np.testing.assert_array_equal(part[:, :-1], whole[:, : width - 1])


def test_few_pixels_are_shaded_with_many_samples() -> None:
    surface, vertices = scene()
    smooth = CpuRenderer(surface, looking((480, 400), focal=600)).render(vertices)
    hard = CpuRenderer(surface, looking((480, 400), focal=600), antialias=False).render(vertices)
    assert 0 < (smooth != hard).any(-1).mean() < 0.02


def test_a_slanted_edge_has_steps_between_its_two_colors() -> None:
    vertices = np.array([[-0.3, -0.3, 0], [0.3, -0.3, 0], [0.3, -0.2, 0]], np.float32)
    faces = np.array([[0, 1, 2]])
    black = np.zeros((40, 48, 3), np.uint8)
    hard = CpuRenderer(plain(3, faces), looking(focal=30), background=black, antialias=False).render(vertices)
    soft = CpuRenderer(plain(3, faces), looking(focal=30), background=black).render(vertices)
    assert len(np.unique(hard[..., 0])) <= 4
    assert len(np.unique(soft[..., 0])) >= 7


def test_a_background_shows_where_the_mesh_is_not() -> None:
    surface, vertices = scene()
    renderer = CpuRenderer(surface, looking())
    background = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    image = renderer.render(vertices, background)
    empty = (renderer.render(vertices) == renderer.background).all(-1)
    np.testing.assert_array_equal(image[empty], background[empty])
    assert 0.3 < empty.mean() < 0.9


def test_threads_render_what_one_thread_renders() -> None:
    surface, vertices = scene()
    renderer = CpuRenderer(surface, looking())
    frames = [vertices * np.float32(1 + 0.01 * i) for i in range(12)]
    alone = [renderer.render(frame) for frame in frames]
    together: list[np.ndarray | None] = [None] * len(frames)

    def work(start: int) -> None:
        for i in range(start, len(frames), 3):
            together[i] = renderer.render(frames[i])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert other is not None
        np.testing.assert_array_equal(one, other)


def test_wrong_vertices_are_refused() -> None:
    surface, vertices = scene()
    renderer = CpuRenderer(surface, looking())
    with pytest.raises(ValueError, match="5 vertices for a surface of"):
        renderer.render(vertices[:5])
    broken = vertices.copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        renderer.render(broken)
    with pytest.raises(ValueError, match=r"a background of shape \(10, 10, 3\) for an image of 48x40"):
        renderer.render(vertices, np.zeros((10, 10, 3), np.uint8))


def test_a_surface_checks_its_numbers() -> None:
    with pytest.raises(ValueError, match=r"faces name vertices 0\.\.3 of 3"):
        plain(3, SQUARE_FACES)
    with pytest.raises(ValueError, match="needs uv_coords"):
        replace(plain(4, SQUARE_FACES), texture=np.zeros((2, 2, 3), np.uint8))


def test_a_fine_texture_is_made_as_coarse_as_the_image() -> None:
    checks = ((np.indices((512, 512)).sum(0) % 2) * 255).astype(np.uint8)[..., None].repeat(3, -1)
    surface = replace(
        plain(4, SQUARE_FACES, (1.0, 1.0, 1.0)),
        uv_coords=np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32),
        uv_faces=SQUARE_FACES,
        texture=checks,
    )
    image = CpuRenderer(surface, looking()).render(square(0, 0))
    inside = image[14:25, 20:30].astype(float)
    # Half the light, everywhere: no moire.
    assert np.ptp(inside) < 40
    gray = CpuRenderer(replace(surface, texture=np.full((4, 4, 3), 188, np.uint8)), looking()).render(square(0, 0))
    assert abs(inside.mean() - gray[14:25, 20:30].mean()) < 3
