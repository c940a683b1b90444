"""Charts cover each face once, without overlap and with free texels between them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from facetalk.exporters.baking import covered_texels
from facetalk.exporters.charts import MARGIN, charts_of, eye_charts, packed
from facetalk.motion.heads import load_head_assets


def ball(rings: int = 12, sides: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """A sphere that looks along z, a pole in the middle of the pupil."""
    angle = np.linspace(0, np.pi, rings + 1)[1:-1]
    turn = 2 * np.pi * np.arange(sides) / sides
    middle = [[np.sin(a) * np.cos(t), np.sin(a) * np.sin(t), np.cos(a)] for a in angle for t in turn]
    vertices = 0.012 * np.array([[0, 0, 1], *middle, [0, 0, -1]])
    at = np.arange(sides * (rings - 1)).reshape(-1, sides) + 1
    faces = [[0, at[0, i], at[0, (i + 1) % sides]] for i in range(sides)]
    for upper, lower in pairwise(at):
        for i in range(sides):
            j = (i + 1) % sides
            faces += [[upper[i], lower[i], lower[j]], [upper[i], lower[j], upper[j]]]
    faces += [[len(vertices) - 1, at[-1, (i + 1) % sides], at[-1, i]] for i in range(sides)]
    return vertices, np.array(faces)


def check_layout(charts: list, count: int, size: tuple[int, int]) -> np.ndarray:
    """Each face once, inside, the right way round; every texel under one face only."""
    order = np.concatenate([chart.faces for chart in charts])
    assert sorted(order) == list(range(count))
    corners = np.empty((count, 3, 2))
    corners[order] = np.concatenate(packed(charts, *size))
    assert (corners >= MARGIN).all() and (corners <= np.array(size) - MARGIN).all()
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    assert (areas > 0).all()
    texels = len(covered_texels(corners, *size).rows)
    # Covered texels are as many as the areas add up to, unless faces lie on each other.
    assert areas.sum() == pytest.approx(texels, rel=0.03)
    return corners


def test_a_ball_is_covered_by_six_sides() -> None:
    vertices, faces = ball()
    charts = charts_of(vertices, faces, np.arange(len(faces)))
    assert len(charts) == 6
    check_layout(charts, len(faces), (128, 128))


def test_an_eye_is_a_disc_around_its_gaze() -> None:
    vertices, faces = ball()
    charts = eye_charts(vertices, faces, np.arange(len(faces)), np.arange(len(vertices)))
    assert len(charts[0].faces) > len(faces) / 2
    corners = check_layout(charts, len(faces), (256, 256))
    around = (faces == 0).any(1)
    middle = corners[around][faces[around] == 0]
    np.testing.assert_allclose(middle - middle[0], 0, atol=1e-6)
    disc = corners[charts[0].faces].reshape(-1, 2)
    np.testing.assert_allclose(middle[0], (disc.min(0) + disc.max(0)) / 2, atol=1.0)


@pytest.mark.parametrize("region", ["upper_teeth", "tongue"])
def test_parts_of_the_bundled_head_fit_without_overlap(region: str) -> None:
    assets = load_head_assets("facetalk")
    vertices, every = assets.shape.template.numpy(), assets.shape.faces.numpy()
    faces = every[np.isin(every, assets.points.regions[region].numpy()).all(1)]
    charts = charts_of(vertices, faces, np.arange(len(faces)))
    check_layout(charts, len(faces), (512, 512))


def test_charts_that_cannot_fit_are_an_error() -> None:
    vertices, faces = ball()
    charts = charts_of(vertices, faces, np.arange(len(faces)))
    with pytest.raises(ValueError, match="6 charts do not fit into 8 x 8"):
        packed(charts, 8, 8)


def test_no_faces_have_no_charts() -> None:
    vertices, faces = ball()
    assert charts_of(vertices, faces, np.zeros(0, np.int64)) == []
