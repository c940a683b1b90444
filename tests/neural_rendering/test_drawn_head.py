"""The drawn head: coverage, eye attention, and where its surface lies in other images."""

from __future__ import annotations

import torch

from facetalk.neural_rendering.appearance import HeadLook, project_square
from facetalk.neural_rendering.drawn_head import DrawnHead, draw, eye_sides, head_faces, places, shifts, warped
from facetalk.neural_rendering.footage import scene_of
from tests.neural_rendering.people import head, person_motion

SIZE = 48
MOTION = person_motion(4)
SCENE = scene_of(MOTION, head(), SIZE)


def vertices(shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> torch.Tensor:
    first = MOTION.cut(0, 1)
    return head()(first.expression, first.poses, first.transl, first.betas)[0] + torch.tensor(shift)


def drawn(points: torch.Tensor, closed: tuple[float, float] = (0.0, 0.0)) -> DrawnHead:
    look = HeadLook(head(), torch.full((len(points), 3), 0.75))
    return draw(points, look.attributes(torch.tensor(closed)), head_faces(head().assets), SCENE.camera.K, SIZE)


def test_colors_lie_where_the_head_does_and_edges_are_soft() -> None:
    result = drawn(vertices())
    coverage = result.coverage[0, 0]
    assert bool((coverage == 1).any()) and bool((coverage == 0).any()) and len(coverage.unique()) > 2
    torch.testing.assert_close(result.values[0, 0], 0.5 * coverage)


def test_eye_attention_marks_the_eye_that_is_closed() -> None:
    left = drawn(vertices(), (0.8, 0.0)).values[0, 3]
    both = drawn(vertices(), (0.8, 0.4)).values[0, 3]
    assert 0 < int((left > 0).sum()) < int((both > 0).sum()) < SIZE * SIZE / 8
    assert abs(float(left.max()) - 0.8) < 1e-4
    columns = (left > 0).nonzero()[:, 1].float()
    nose = float(drawn(vertices()).coverage[0, 0].nonzero()[:, 1].float().mean())
    assert float(columns.mean()) > nose  # the person's left is on the viewer's right


def test_eye_sides_are_those_of_the_head() -> None:
    left, right = eye_sides(head().assets)
    assert not bool((left & right).any()) and abs(int(left.sum()) - int(right.sum())) < 10


def test_the_same_image_is_found_where_it_is() -> None:
    points = vertices()
    grid = places(drawn(points), project_square(points.numpy(), SCENE))
    image = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(warped(image, grid), image, atol=1e-3, rtol=0)


def test_the_surface_is_found_where_the_head_was_and_the_distance_stays() -> None:
    now, before = vertices((0.03, 0.0, 0.0)), vertices()
    result = drawn(now)
    shift = (
        SIZE
        * (places(result, project_square(before.numpy(), SCENE)) - places(result, project_square(now.numpy(), SCENE)))
        / 2
    )
    inside = result.coverage[0, 0] == 1
    # 3 cm at about 75 cm from a lens of `K[0, 0]` pixels.
    expected = -0.03 * float(SCENE.camera.K[0, 0]) / 0.78
    assert abs(float(shift[0, ..., 0][inside].mean()) - expected) < 0.15 * abs(expected)
    assert float(shift[0, ..., 1][inside].abs().max()) < 0.1
    corner = float(shift[0, 0, 0, 0])
    assert abs(corner) < 0.5 * abs(expected)


def test_all_of_an_image_may_follow_the_head() -> None:
    now, before = vertices((0.03, 0.0, 0.0)), vertices()
    shift = shifts(drawn(now), project_square(before.numpy(), SCENE))[0]
    expected = -0.03 * float(SCENE.camera.K[0, 0]) / 0.78
    assert abs(float(shift[-1, 0, 0]) - expected) < 0.2 * abs(expected) and float(shift[..., 1].abs().max()) < 0.1
