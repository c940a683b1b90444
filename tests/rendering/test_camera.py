from __future__ import annotations

import pytest
import torch

from facetalk.core.camera import Camera
from facetalk.rendering.camera import front_camera, project, resized_camera


def test_a_point_lands_where_the_formula_says() -> None:
    K = torch.tensor([[500.0, 0.0, 320.0], [0.0, 400.0, 240.0], [0.0, 0.0, 1.0]])
    camera = Camera(K, (640, 480))
    seen = project(torch.tensor([[0.1, 0.2, -2.0]]), camera)
    torch.testing.assert_close(seen, torch.tensor([[320 + 500 * 0.05, 240 - 400 * 0.1]]))


def test_a_shifted_camera_sees_a_shifted_world() -> None:
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor([-0.3, 0.0, -1.0])
    camera = Camera(torch.tensor([[100.0, 0, 50], [0, 100.0, 50], [0, 0, 1]]), (100, 100), pose)
    torch.testing.assert_close(project(torch.tensor([0.3, 0.0, 0.0]), camera), torch.tensor([50.0, 50.0]))


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("size", [(512, 512), (640, 360), (270, 480)])
def test_a_head_of_any_size_fills_the_portrait_alike(scale: float, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=1)
    points = points * torch.tensor([0.08, 0.12, 0.1]) * scale + torch.tensor([0.2, -0.4, 0.7]) * scale
    seen = project(points, front_camera(points, size))
    low, high = seen.amin(0), seen.amax(0)
    shorter = min(size)
    assert 0.64 < float(high[1] - low[1]) / shorter < 0.74
    assert abs(float(low[0] + high[0]) / 2 - size[0] / 2) < 0.02 * shorter
    assert low.min() > 0 and float(high[1]) < 0.85 * size[1]


def test_a_wide_head_fits_as_well() -> None:
    points = torch.tensor([[-0.3, -0.05, 0.0], [0.3, 0.05, 0.0]])
    seen = project(points, front_camera(points, (200, 200)))
    assert float(seen[:, 0].min()) > 0 and float(seen[:, 0].max()) < 200


def test_a_resized_camera_sees_the_same_in_other_pixels() -> None:
    camera = Camera(torch.tensor([[100.0, 0, 48], [0, 110.0, 52], [0, 0, 1]]), (100, 100))
    point = torch.tensor([0.1, -0.05, -0.7])
    torch.testing.assert_close(
        project(point, resized_camera(camera, (50, 200))), project(point, camera) * torch.tensor([0.5, 2.0])
    )
