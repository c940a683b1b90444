"""Textures of the parts: what is painted where, at what size, and how smooth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facetalk.core.errors import FacetalkError
from facetalk.exporters.baking import covered_texels
from facetalk.exporters.part_textures import TexturedPart, textured_parts, vertex_colors
from facetalk.exporters.surface_detail import noise, skin_roughness
from facetalk.exporters.texture_layout import texture_layout
from facetalk.head.assets import HeadAssets
from facetalk.head.looks import Look
from facetalk.motion.heads import load_head_assets
from facetalk.rendering.color import linear_to_srgb, srgb_to_linear
from tests.conftest import make_toy_head
from tests.exporters.test_glb import parted_head


@pytest.fixture(scope="module")
def bundled() -> HeadAssets:
    return load_head_assets("facetalk")


def texel_at(part: TexturedPart, uv: np.ndarray) -> np.ndarray:
    height, width = part.color.shape[:2]
    column = np.clip(uv[..., 0] * width, 0, width - 1).astype(int)
    row = np.clip((1 - uv[..., 1]) * height, 0, height - 1).astype(int)
    return part.color[row, column].astype(float)


def test_the_texture_of_the_head_keeps_its_layout_and_details(bundled: HeadAssets) -> None:
    texture = bundled.appearance.texture
    assert texture is not None
    skin = textured_parts(bundled)[0]
    height = len(texture)
    corners = bundled.appearance.uv_coords.numpy()[bundled.appearance.uv_faces.numpy()[skin.members]]
    own = skin.uv_coords[skin.uv_faces]
    # Rows are moved by the same whole number of texels everywhere in the painted part.
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    painted = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] > 1e-7
    shift = own[painted][..., 1] * len(skin.color) - corners[painted][..., 1] * height
    rows_below = round(float(np.median(shift)))
    moved = np.abs(shift - rows_below).max(1) > 2e-2
    assert painted.mean() > 0.6 and moved.mean() < 0.02, "all but the bottoms of the nostrils"
    # In the brows, where vertices are far apart, the texture is that of the head but for the vertices' shade.
    rows, columns = slice(210, 240), slice(320, 440)
    offset = len(skin.color) - height - rows_below
    mine, theirs = (image[rows, columns].mean(2).ravel() for image in (np.roll(skin.color, -offset, 0), texture))
    assert np.corrcoef(mine, theirs)[0, 1] > 0.98


@pytest.mark.parametrize(("eyes", "strongest"), [("blue", 2), ("brown", 0)])
def test_an_eye_has_its_iris_around_the_middle_of_its_disc(bundled: HeadAssets, eyes: str, strongest: int) -> None:
    assets = bundled if eyes == "brown" else load_head_assets("facetalk", Look(eyes=eyes))
    part = {part.name: part for part in textured_parts(assets)}["eyes"]
    faces = assets.shape.faces.numpy()[part.members]
    uv, corners = part.uv_coords[part.uv_faces].reshape(-1, 2), faces.ravel()
    for region in ("left_eyeball", "right_eyeball"):
        ball = assets.points.regions[region].numpy()
        pupil = ball[assets.shape.template.numpy()[ball, 2].argmax()]
        center = uv[corners == pupil].mean(0)
        assert texel_at(part, center).max() < 20
        iris = np.intersect1d(assets.points.regions["irises"].numpy(), ball)
        distance = np.linalg.norm((uv[np.isin(corners, iris)] - center) * [2, 1], axis=1)
        ring = center + 0.75 * distance.max() * np.array([[0.5, 0], [-0.5, 0], [0, -1]])
        assert texel_at(part, ring).mean(0).argmax() == strongest


def test_colors_of_untextured_heads_are_interpolated_in_linear_light() -> None:
    assets = parted_head()
    for part in textured_parts(assets):
        if part.name != "eyes":
            continue
        faces = assets.shape.faces.numpy()[part.members]
        middle = part.uv_coords[part.uv_faces].mean(1)
        wanted = linear_to_srgb(srgb_to_linear(assets.appearance.colors.numpy())[faces].mean(1))
        # Slender faces have a texel or none.
        assert np.median(np.abs(texel_at(part, middle) - 255 * wanted)) < 10
        return
    raise AssertionError("the head has eyes")


def test_relief_is_small_and_roughness_tells_lips_from_skin(bundled: HeadAssets) -> None:
    skin, eyes = textured_parts(bundled)[:2]
    assert skin.relief is not None and eyes.relief is None
    normals = skin.relief / 127.5 - 1
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1, atol=0.02)
    assert normals[..., 2].min() > 0.6 and np.percentile(normals[..., 2], 5) > 0.9
    np.testing.assert_allclose(normals.mean((0, 1)), [0, 0, 1], atol=0.03)
    uv, corners = skin.uv_coords[skin.uv_faces].reshape(-1, 2), bundled.shape.faces.numpy()[skin.members].ravel()
    rough = {}
    for region in ("lips", "upper_face", "mouth_lining"):
        mine = np.isin(corners, bundled.points.regions[region].numpy())
        height, width = skin.roughness.shape
        column, row = (uv[mine] * [width, -height] + [0, height]).clip(0, [width - 1, height - 1]).astype(int).T
        rough[region] = float(np.median(skin.roughness[row, column]) / 255)
    assert rough["lips"] < rough["upper_face"] < rough["mouth_lining"]


def test_noise_has_unit_variance_and_depends_on_the_place_alone() -> None:
    places = np.random.default_rng(0).uniform(-50, 50, (20_000, 3)).astype(np.float32)
    values = noise(places, 3)
    assert values.std() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(noise(places[100:200], 3), values[100:200])


def test_texels_are_found_where_their_centers_lie_in_a_face() -> None:
    generator = np.random.default_rng(1)
    corners = generator.uniform(0, 20, (1, 3, 2))
    first, second = corners[0, 1] - corners[0, 0], corners[0, 2] - corners[0, 0]
    if first[0] * second[1] - first[1] * second[0] < 0:
        corners = corners[:, ::-1].copy()
    texels = covered_texels(corners, 20, 20)
    found = {(int(r), int(c)) for r, c in zip(texels.rows, texels.columns, strict=True)}
    wanted = set()
    for row in range(20):
        for column in range(20):
            place = np.array([column + 0.5, 20 - row - 0.5])
            edges = [(corners[0, (i + 1) % 3] - corners[0, i], place - corners[0, i]) for i in range(3)]
            sides = [edge[0] * inner[1] - edge[1] * inner[0] for edge, inner in edges]
            if min(sides) >= 0:
                wanted.add((row, column))
    assert found == wanted and len(found) > 10
    places = texels.interpolate(corners)
    np.testing.assert_allclose(places, np.stack([texels.columns + 0.5, 19.5 - texels.rows], 1), atol=1e-3)


def test_where_faces_lie_on_each_other_the_nearest_is_seen() -> None:
    triangle = np.array([[1.0, 1.0], [19.0, 1.0], [1.0, 19.0]])
    corners, depth = np.stack([triangle, triangle]), np.array([[2.0] * 3, [1.0] * 3])
    assert set(covered_texels(corners, 20, 20, depth).corners[:, 0] // 3) == {1}


def test_vertex_colors_are_gray_where_there_is_no_face() -> None:
    assets = parted_head()
    lonely = replace(assets.shape, faces=assets.shape.faces[:-3])
    look = replace(assets.appearance, uv_faces=assets.appearance.uv_faces[:-3])
    colors = vertex_colors(replace(assets, shape=lonely, appearance=look))
    np.testing.assert_array_equal(colors[-3:], 128)
    assert (colors[:-3] != 128).any(1).all()


def test_a_part_without_area_is_an_error_of_one_line() -> None:
    assets = parted_head()
    flat = replace(assets, shape=replace(assets.shape, template=torch.zeros(40, 3)))
    with pytest.raises(FacetalkError, match="has no area to paint"):
        textured_parts(flat)


def test_a_small_island_of_a_layout_moves_to_the_strip_below() -> None:
    assets = make_toy_head()
    columns, rows = np.meshgrid(np.arange(6), np.arange(6))
    place = np.stack([columns.ravel(), rows.ravel()], 1) / 5
    corner = np.array([6 * row + column for row in range(5) for column in range(5)])
    sheet = np.concatenate(
        [np.stack([corner, corner + 1, corner + 7], 1), np.stack([corner, corner + 7, corner + 6], 1)]
    )
    faces = torch.from_numpy(np.concatenate([sheet, [[36, 37, 38]]]))
    uv = torch.rand(40, 2) * 0
    uv[:36] = torch.from_numpy(0.1 + 0.8 * place).float()
    uv[36:39] = torch.tensor([[0.45, 0.45], [0.55, 0.45], [0.45, 0.55]])
    template = torch.cat([0.1 * uv, torch.zeros(40, 1)], 1)
    assets = replace(
        assets,
        shape=replace(assets.shape, faces=faces, template=template),
        appearance=replace(
            assets.appearance, uv_coords=uv, uv_faces=faces, texture=np.full((64, 64, 3), 200, np.uint8)
        ),
    )
    corners, (width, height) = texture_layout(assets, "skin", np.arange(len(faces)))
    assert width == 64 and height % 64 == 0 and height >= 64 + 256 - 6
    moved = corners - 64 * uv[faces].numpy()
    np.testing.assert_allclose(moved[:-1], moved[0, 0] + np.zeros((50, 3, 2)), atol=1e-4)
    assert corners[-1, :, 1].max() < corners[:-1, :, 1].min()


def test_skin_without_gloss_is_rougher() -> None:
    place, none = np.zeros((1, 3), np.float32), np.zeros(1)
    values = [skin_roughness(place, none, none, none, none, gloss, np.ones(1)) for gloss in (0.1, 0.05, 0.0)]
    assert values[0] < values[1] < values[2]
