"""Heads in other colors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.head.assets import HeadAssets
from facetalk.head.looks import EYES, HAIRS, PAINTED, SKINS, Look, with_look
from facetalk.io.head_folder import read_head_folder, write_head_folder
from facetalk.motion.heads import load_head_assets


@pytest.fixture(scope="module")
def bundled() -> HeadAssets:
    return load_head_assets("facetalk")


def layer_mean(assets: HeadAssets, layer: int) -> np.ndarray:
    """Mean color of the texels that belong wholly to one layer."""
    assert assets.appearance.texture is not None and assets.appearance.texture_layers is not None
    return assets.appearance.texture[assets.appearance.texture_layers[..., layer] > 234].mean(0) / 255


def test_names_that_do_not_exist_are_refused_with_those_that_do() -> None:
    for wrong, known in ((Look, SKINS), (Look, EYES), (Look, HAIRS)):
        field = {id(SKINS): "skin", id(EYES): "eyes", id(HAIRS): "hair"}[id(known)]
        with pytest.raises(UsageError, match=", ".join(known)):
            wrong(**{field: "plaid"})


def test_no_wish_leaves_the_head_alone(bundled: HeadAssets) -> None:
    assert with_look(bundled, Look()) is bundled
    same = with_look(bundled, Look(**PAINTED))
    assert same.appearance.texture is not None and bundled.appearance.texture is not None
    assert np.abs(same.appearance.texture.astype(int) - bundled.appearance.texture).max() <= 8, (
        "only what the detail's bounds cut off"
    )
    torch.testing.assert_close(same.appearance.colors, bundled.appearance.colors, rtol=0, atol=1e-6)


@pytest.mark.parametrize("skin", SKINS)
def test_skin_and_lips_take_the_tones_of_the_table(bundled: HeadAssets, skin: str) -> None:
    painted = with_look(bundled, Look(skin=skin))
    np.testing.assert_allclose(layer_mean(painted, 0), SKINS[skin].skin, atol=0.035)
    np.testing.assert_allclose(layer_mean(painted, 1), SKINS[skin].lips, atol=0.05)
    np.testing.assert_allclose(layer_mean(painted, 2), layer_mean(bundled, 2), atol=0.035)


def test_tones_go_from_light_to_deep_and_stay_warm() -> None:
    skins = np.array([complexion.skin for complexion in SKINS.values()])
    assert (np.diff(skins, axis=0) < 0).all()
    assert (skins[:, 0] > skins[:, 1]).all() and (skins[:, 1] > skins[:, 2]).all()
    saturation = 1 - skins[:, 2] / skins[:, 0]
    assert saturation.max() < 0.6, "no orange cast"
    assert saturation[-1] > 0.35, "no gray cast"


def test_eye_colors_change_irises_only(bundled: HeadAssets) -> None:
    blue = with_look(bundled, Look(eyes="blue"))
    changed = torch.nonzero((blue.appearance.colors - bundled.appearance.colors).abs().amax(1) > 1e-6)[:, 0]
    assert torch.isin(changed, bundled.points.regions["irises"]).all()
    iris = blue.appearance.colors[bundled.points.regions["irises"]].mean(0)
    assert iris[2] > iris[0]
    assert blue.appearance.texture is not None and bundled.appearance.texture is not None
    assert np.abs(blue.appearance.texture.astype(int) - bundled.appearance.texture).max() <= 8


def test_hair_of_another_color_leaves_the_face(bundled: HeadAssets) -> None:
    blond = with_look(bundled, Look(hair="blond"))
    assert layer_mean(blond, 2).mean() > 2 * layer_mean(bundled, 2).mean()
    np.testing.assert_allclose(layer_mean(blond, 0), layer_mean(bundled, 0), atol=0.01)


def test_a_look_can_be_changed_again(bundled: HeadAssets) -> None:
    twice = with_look(with_look(bundled, Look(skin="deep", eyes="green")), Look(skin="tan"))
    once = with_look(bundled, Look(skin="tan", eyes="green"))
    assert twice.meta["look"] == once.meta["look"] == PAINTED | {"skin": "tan", "eyes": "green"}
    np.testing.assert_allclose(layer_mean(twice, 0), layer_mean(once, 0), atol=0.03)
    torch.testing.assert_close(twice.appearance.colors, once.appearance.colors, rtol=0, atol=1e-5)


def test_a_head_without_layers_says_so(bundled: HeadAssets) -> None:
    with pytest.raises(UsageError, match="fixed colors"):
        with_look(replace(bundled, appearance=replace(bundled.appearance, texture_layers=None)), Look(skin="deep"))


@pytest.mark.slow
def test_layers_survive_the_file(bundled: HeadAssets, tmp_path) -> None:
    small = replace(
        bundled,
        shape=replace(bundled.shape, expression_dirs=bundled.shape.expression_dirs[:1], expression_names=("jawOpen",)),
    )
    write_head_folder(tmp_path, small)
    again = read_head_folder(tmp_path)
    assert again.appearance.texture_layers is not None and bundled.appearance.texture_layers is not None
    assert np.array_equal(again.appearance.texture_layers, bundled.appearance.texture_layers)
    assert with_look(again, Look(skin="deep")).meta["look"]["skin"] == "deep"
