"""The program that builds the head, and how its product looks to a detector."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.head_calibration import head_turn, portrait_camera
from facetalk.motion.head_surface import head_surface
from facetalk.motion.heads import load_head_assets
from facetalk.workshop.head.domain import ThinPlate, conformal, smoothstep, to_map
from facetalk.workshop.head.embedding import barycentric, nearest_on_surface
from facetalk.workshop.head.measuring import align, level, mirror_pairs, symmetric
from facetalk.workshop.head.paint import to_texture


def test_thin_plate_passes_through_its_points_and_keeps_planes() -> None:
    generator = np.random.default_rng(0)
    places = generator.uniform(-100, 100, (30, 2))
    values = places @ np.array([[1.0], [-2.0]]) + 3
    spline = ThinPlate(places, values)
    np.testing.assert_allclose(spline(places), values, atol=1e-6)
    elsewhere = generator.uniform(-150, 150, (20, 2))
    np.testing.assert_allclose(spline(elsewhere), elsewhere @ np.array([[1.0], [-2.0]]) + 3, atol=1e-6)


def test_alignment_undoes_a_similarity() -> None:
    generator = np.random.default_rng(1)
    reference = generator.normal(size=(478, 3)) * 40
    turn = head_turn(20, -10)
    moved = 2.5 * reference @ turn.T + [5, 6, 7]
    np.testing.assert_allclose(align(moved[None], reference)[0], reference, atol=1e-9)


def test_mirror_pairs_of_a_symmetric_face() -> None:
    generator = np.random.default_rng(2)
    right = generator.uniform([-80, -100, -20], [-5, 100, 50], (234, 3))
    face = np.concatenate([right, right * [-1, 1, 1], right[:5] + 300, (right[:5] + 300) * [-1, 1, 1]])
    pairs = mirror_pairs(face)
    assert pairs[0] == 234 and pairs[234] == 0
    np.testing.assert_allclose(symmetric(face, pairs), face)
    assert level(face + np.array([3, 0, 0])).shape == face.shape


def test_conformal_map_keeps_angles_on_the_face() -> None:
    base = np.array([[30.0, -40.0]])
    across, along = (conformal(base + np.array([step])) - conformal(base) for step in ([0.01, 0], [0, 0.01]))
    assert abs(float((across * along).sum())) < 1e-3 * np.linalg.norm(across) * np.linalg.norm(along)
    assert np.linalg.norm(across) == pytest.approx(np.linalg.norm(along), rel=1e-2)


def test_map_and_texture_coordinates_are_where_one_expects() -> None:
    places = to_map(np.array([[0.0, -30.0, 45.0], [75.0, 0.0, -75.0]]))
    np.testing.assert_allclose(places, [[0, -30], [50 * np.pi, 0]], atol=1e-9)
    uv = to_texture(np.array([[0.0, 0.0], [-50.0, 0.0], [0.0, 50.0]]))
    assert uv[0, 0] == pytest.approx(0.5, abs=1e-3)
    assert uv[1, 0] < uv[0, 0] and uv[2, 1] > uv[0, 1]


def test_smoothstep_goes_from_zero_to_one() -> None:
    np.testing.assert_allclose(smoothstep(1, 3, np.array([0, 1, 2, 3, 4])), [0, 0, 0.5, 1, 1])


def test_nearest_surface_point_lies_in_the_triangle() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5]])
    faces = np.array([[0, 1, 2], [1, 3, 2]])
    corners, weights = nearest_on_surface(np.array([[0.25, 0.25, 0.7], [-1.0, -1.0, 0.0]]), vertices, faces)
    placed = (vertices[corners] * weights[..., None]).sum(1)
    np.testing.assert_allclose(placed, [[0.25, 0.25, 0], [0, 0, 0]], atol=1e-9)
    inside = barycentric(np.array([[0.25, 0.25]]), vertices[faces[:1], :2])
    np.testing.assert_allclose(inside[0, 0], [0.5, 0.25, 0.25])


@pytest.mark.slow
def test_building_again_gives_the_shipped_head() -> None:
    from facetalk.workshop.head.build import build_head

    built, shipped = build_head(), load_head_assets("facetalk")
    # Rounding differs between processors, and with it the choice between two equally good diagonals or neighbors.
    assert built.shape.faces.shape == shipped.shape.faces.shape
    torch.testing.assert_close(built.shape.template, shipped.shape.template, rtol=0, atol=5e-4)
    torch.testing.assert_close(built.shape.expression_dirs, shipped.shape.expression_dirs, rtol=0, atol=2e-5)
    torch.testing.assert_close(built.shape.identity_dirs, shipped.shape.identity_dirs, rtol=0, atol=2e-5)
    torch.testing.assert_close(built.shape.skin_weights, shipped.shape.skin_weights, rtol=0, atol=1e-6)
    placed, expected = (
        built.points.mediapipe.on(built.shape.template),
        shipped.points.mediapipe.on(shipped.shape.template),
    )
    torch.testing.assert_close(placed, expected, rtol=0, atol=2e-3)
    assert built.appearance.texture is not None and shipped.appearance.texture is not None
    assert np.abs(built.appearance.texture.astype(int) - shipped.appearance.texture).max() <= 2


@pytest.fixture(scope="module")
def assets() -> HeadAssets:
    return load_head_assets("facetalk")


def seen_by_mediapipe(assets: HeadAssets, yaw: float, pitch: float, **channels: float) -> tuple[np.ndarray, np.ndarray]:
    """Points that MediaPipe finds on a render, and where the embedding says they are; pixels."""
    from facetalk.rendering.camera import project
    from facetalk.rendering.renderer import CpuRenderer
    from facetalk.vision.landmark_detector import MediaPipeDetector

    weights = torch.tensor([channels.get(name, 0.0) for name in ARKIT_NAMES])
    shape = assets.shape.template + torch.einsum("e,evc->vc", weights, assets.shape.expression_dirs)
    turned = shape @ torch.tensor(head_turn(yaw, pitch)).float().T
    with MediaPipeDetector(follow=False) as detector:
        seen = detector.detect(CpuRenderer(head_surface(assets), portrait_camera()).render(turned.numpy()))
    assert seen is not None, "no face found"
    return seen[:, :2], project(assets.points.mediapipe.on(turned), portrait_camera()).numpy()


def error(seen: np.ndarray, placed: np.ndarray) -> float:
    """Mean distance in units of the eye corners' distance."""
    return float(np.linalg.norm(seen - placed, axis=1)[:468].mean() / np.linalg.norm(placed[33] - placed[263]))


@pytest.mark.usefixtures("landmark_networks")
@pytest.mark.slow
@pytest.mark.parametrize("yaw, pitch", [(0, 0), (-30, 0), (30, 0), (0, 20), (0, -20), (-30, 20), (30, -20)])
def test_mediapipe_finds_the_face_where_the_embedding_says(assets: HeadAssets, yaw: float, pitch: float) -> None:
    assert error(*seen_by_mediapipe(assets, yaw, pitch)) < 0.05


@pytest.mark.usefixtures("landmark_networks")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["jawOpen", "mouthPucker", "mouthFunnel", "cheekPuff", "browInnerUp", "tongueOut"])
def test_mediapipe_finds_the_face_under_strong_expressions(assets: HeadAssets, name: str) -> None:
    assert error(*seen_by_mediapipe(assets, 0, 0, **{name: 1.0})) < 0.06


@pytest.mark.slow
def test_mediapipe_sees_the_mouth_open_with_the_channel(assets: HeadAssets) -> None:
    gaps = []
    for amount in (0.0, 0.25, 0.5, 0.75):
        seen, _ = seen_by_mediapipe(assets, 0, 0, jawOpen=amount)
        gaps.append(float(np.linalg.norm(seen[13] - seen[14]) / np.linalg.norm(seen[33] - seen[263])))
    assert gaps[0] < 0.04
    assert all(b - a > 0.06 for a, b in pairwise(gaps))
