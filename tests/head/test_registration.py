"""Warps hit their pairs, nearest points are nearest, and a bent surface is laid back on itself."""

from __future__ import annotations

import numpy as np
import pytest

from facetalk.head.registration import (
    fit_warp,
    nearest_on_surface,
    register,
    similarity,
    slide,
    spread_points,
    vertex_normals,
)
from tests.head.flame_reference import rotation


def dome(steps: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """A lopsided half ball of 8 cm, facing +z."""
    u, v = np.meshgrid(np.linspace(-1, 1, steps), np.linspace(-1, 1, steps), indexing="ij")
    depth = np.sqrt(np.clip(2.2 - u**2 - v**2, 0, None)) + 0.15 * np.sin(3 * u) * v
    vertices = 0.08 * np.stack([u, v, depth], -1).reshape(-1, 3)
    corner = (np.arange(steps - 1)[:, None] * steps + np.arange(steps - 1)).ravel()
    faces = np.concatenate(
        [
            np.stack([corner, corner + steps, corner + steps + 1], 1),
            np.stack([corner, corner + steps + 1, corner + 1], 1),
        ]
    )
    return vertices, faces


def test_a_warp_hits_its_pairs_and_keeps_what_is_affine() -> None:
    generator = np.random.default_rng(0)
    source = generator.normal(size=(12, 3))
    target = source + 0.1 * generator.normal(size=(12, 3))
    np.testing.assert_allclose(fit_warp(source, target)(source), target, atol=1e-9)
    matrix, shift = generator.normal(size=(3, 3)), generator.normal(size=3)
    affine = fit_warp(source, source @ matrix + shift)
    far = 10 * generator.normal(size=(5, 3))
    np.testing.assert_allclose(affine(far), far @ matrix + shift, atol=1e-7)
    loose = fit_warp(source, target, 5.0)
    bend = np.abs(loose.bend).sum()
    assert bend < 0.5 * np.abs(fit_warp(source, target).bend).sum(), "looseness buys smoothness"


def test_similarity_undoes_a_turn_a_shift_and_a_scale() -> None:
    points = np.random.default_rng(1).normal(size=(9, 3))
    turn = rotation(np.array([0.3, -1.2, 0.5]))
    scale, found, shift = similarity(points, 1.7 * points @ turn.T + [1, 2, 3])
    assert scale == pytest.approx(1.7)
    np.testing.assert_allclose(found, turn, atol=1e-9)
    np.testing.assert_allclose(shift, [1, 2, 3], atol=1e-9)
    mirrored = similarity(points, points * [-1, 1, 1])
    assert np.linalg.det(mirrored[1]) == pytest.approx(1)


def test_nearest_points_agree_with_looking_at_every_triangle() -> None:
    vertices, faces = dome(10)
    points = vertices[::7] + 0.01 * np.random.default_rng(2).normal(size=(len(vertices[::7]), 3))
    found = nearest_on_surface(points, vertices, faces)
    on = (vertices[faces[found.faces]] * found.barycentric[..., None]).sum(1)
    np.testing.assert_allclose(np.linalg.norm(on - points, axis=1), found.distance, atol=1e-12)
    shares = np.random.default_rng(3).dirichlet([1, 1, 1], 4000)
    for point, distance in zip(points, found.distance, strict=True):
        sampled = np.einsum("sk,fkc->fsc", shares[:200], vertices[faces])
        assert distance <= np.linalg.norm(sampled - point, axis=-1).min() + 1e-9
    assert (found.barycentric >= -1e-12).all()


def test_normals_tell_two_touching_surfaces_apart() -> None:
    sheet = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]) * 0.01
    vertices = np.concatenate([sheet, sheet + np.array([0, 0, 0.0005])])
    faces = np.array([[0, 1, 2], [3, 5, 4]])  # the second one faces back
    point = np.array([[0.002, 0.002, 0.0004]])
    assert nearest_on_surface(point, vertices, faces).faces[0] == 1
    assert nearest_on_surface(point, vertices, faces, np.array([[0.0, 0, 1]])).faces[0] == 0


def test_a_bent_dome_is_laid_back_on_itself() -> None:
    vertices, faces = dome()
    bent = vertices + 0.004 * np.sin(vertices[:, [1, 2, 0]] * 40)
    marks = spread_points(vertices, 10)
    warp = register(
        bent, vertex_normals(bent, faces), vertices, faces, bent[marks], vertices[marks], rounds=6, num_anchors=200
    )
    before, after = np.linalg.norm(bent - vertices, axis=1), np.linalg.norm(warp(bent) - vertices, axis=1)
    on_surface = nearest_on_surface(warp(bent), vertices, faces).distance
    # A smooth dome may slide along itself; it lies on itself all the same.
    assert after.mean() < 0.6 * before.mean() and on_surface.mean() < 0.0003, "meters"


def test_spread_points_are_far_apart() -> None:
    points = np.random.default_rng(4).normal(size=(300, 3))
    picks = spread_points(points, 20)
    gaps = np.linalg.norm(points[picks][:, None] - points[picks], axis=-1) + 9 * np.eye(20)
    assert len(set(picks.tolist())) == 20 and gaps.min() > 0.8


def test_points_slide_along_their_own_sheet() -> None:
    # Two sheets, half a millimeter apart, joined along one edge: a lip on a lip.
    x, y = np.meshgrid(np.arange(11.0), np.arange(11.0), indexing="ij")
    low = np.stack([x, y, 0 * x], -1).reshape(-1, 3) * 0.004
    corner = (np.arange(10)[:, None] * 11 + np.arange(10)).ravel()
    sheet = np.concatenate(
        [np.stack([corner, corner + 11, corner + 12], 1), np.stack([corner, corner + 12, corner + 1], 1)]
    )
    vertices = np.concatenate([low, low + np.array([0, 0, 0.0005])])
    seam = np.stack([np.arange(10), np.arange(1, 11), 121 + np.arange(10)], 1)
    faces = np.concatenate([sheet, sheet + 121, seam])
    start = np.array([[60, 71, 72], [60 + 121, 71 + 121, 72 + 121]])
    weights = np.full((2, 3), 1 / 3)
    before = (vertices[start] * weights[..., None]).sum(1)
    offsets = np.array([[0.005, -0.003, 0.0005], [0.005, -0.003, -0.0005]])  # each toward the other sheet
    triangles, shares = slide(start, weights, offsets, vertices, faces)
    after = (vertices[triangles] * shares[..., None]).sum(1)
    np.testing.assert_allclose(after[:, :2], before[:, :2] + offsets[:, :2], atol=1e-9)
    np.testing.assert_allclose(after[:, 2], before[:, 2], atol=1e-12)
    assert (triangles[0] < 121).all() and (triangles[1] >= 121).all()
