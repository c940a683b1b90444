from __future__ import annotations

import pytest
import torch

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion, still_motion
from facetalk.fitters.read_back import part_with_head
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.rendering.camera import project


def placed(x: float, z: float) -> Motion:
    motion = still_motion("toy", torch.zeros(4, len(ARKIT_NAMES)), ARKIT_NAMES, 30.0, 3)
    return motion.replace(transl=torch.tensor([x, 0.1, z]).expand(4, 3) + 0.01 * torch.arange(4)[:, None])


def camera(size: tuple[int, int] = (1280, 720)) -> Camera:
    return Camera(torch.tensor([[1500.0, 0, size[0] / 2], [0, 1500.0, size[1] / 2], [0, 0, 1]]), size)


def test_only_the_part_of_the_frame_with_a_small_head_is_rendered(toy_head: HeadModel) -> None:
    motion, whole = placed(0.5, -3.0), camera()
    left, top, part = part_with_head(toy_head, motion, whole)
    assert max(part.image_size) < 300
    vertices = toy_head.pose(motion).vertices.flatten(0, 1)
    inside = project(vertices, part)
    torch.testing.assert_close(inside + torch.tensor([left, top]), project(vertices, whole), atol=1e-3, rtol=0)
    assert (inside >= 0).all() and (inside <= torch.tensor(part.image_size)).all()


@pytest.mark.parametrize(("x", "z"), [(0.0, -0.7), (0.1, -0.6)])
def test_a_head_that_fills_the_frame_is_rendered_with_all_of_it(toy_head: HeadModel, x: float, z: float) -> None:
    whole = camera()
    assert part_with_head(toy_head, placed(x, z), whole) == (0.0, 0.0, whole)


def test_a_part_stays_inside_the_frame(toy_head: HeadModel) -> None:
    for x in (-1.4, 1.4, 4.0):
        left, top, part = part_with_head(toy_head, placed(x, -3.0), camera())
        assert left >= 0 and top >= 0
        assert left + part.image_size[0] <= 1280 and top + part.image_size[1] <= 720
        assert min(part.image_size) >= 2
