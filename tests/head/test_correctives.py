"""Corrective shapes: what pairs of channels add to the sum of what each does alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facetalk.head.assets import HeadAssets
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.correctives import blend_shape_dirs, blend_shape_names, blend_shape_weights, corrective_weights
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_PARENTS, skin
from facetalk.head.surface_points import SurfacePoints
from facetalk.io.head_folder import read_head_folder, write_head_folder
from tests.conftest import make_corrected_toy_head, make_toy_head


@pytest.fixture(scope="module")
def assets() -> HeadAssets:
    return make_corrected_toy_head()


def written_out(assets: HeadAssets, expression: torch.Tensor) -> torch.Tensor:
    """Rest shapes of frames, one vertex and one corrective at a time."""
    assert assets.shape.corrective_dirs is not None and assets.shape.corrective_pairs is not None
    shapes = []
    for row in expression:
        shape = assets.shape.template.double() + torch.einsum(
            "e,evc->vc", row.double(), assets.shape.expression_dirs.double()
        )
        for (a, b), direction in zip(
            assets.shape.corrective_pairs.tolist(), assets.shape.corrective_dirs.double(), strict=True
        ):
            x, y = (min(max(float(row[i]), 0.0), 1.0) for i in (a, b))
            shape = shape + (4 * x * (1 - x) if a == b else x * y) * direction
        shapes.append(shape)
    return torch.stack(shapes)


def lively(frames: int = 7) -> torch.Tensor:
    return torch.rand(frames, len(ARKIT_NAMES), generator=torch.Generator().manual_seed(3)) * 1.4 - 0.2


def test_weights_of_hand_sized_examples() -> None:
    pairs = torch.tensor([[0, 1], [2, 2]])
    expression = torch.tensor([[0.5, 0.4, 0.0], [1.0, 1.0, 0.5], [2.0, 0.3, 1.0], [-1.0, 1.0, 0.25]])
    expected = torch.tensor([[0.2, 0.0], [1.0, 1.0], [0.3, 0.0], [0.0, 0.75]])
    torch.testing.assert_close(corrective_weights(expression, pairs), expected)


@pytest.mark.parametrize("gradients", [False, True])
def test_both_forward_paths_agree_with_the_written_out_sum(assets: HeadAssets, gradients: bool) -> None:
    head, expression = HeadModel(assets), lively().requires_grad_(gradients)
    poses = 0.3 * torch.randn(7, 5, 3, generator=torch.Generator().manual_seed(4))
    vertices = head(expression, poses, torch.zeros(7, 3), torch.zeros(3))
    assert vertices.requires_grad == gradients
    shapes = written_out(assets, expression.detach()).float()
    expected = skin(shapes, assets.shape.joints, poses, assets.shape.skin_weights, JOINT_PARENTS)
    torch.testing.assert_close(vertices.detach(), expected, rtol=0, atol=1e-6)


def test_gradients_of_the_weights() -> None:
    pairs = torch.tensor([[0, 1], [2, 2], [1, 2]])
    inside = 0.1 + 0.8 * torch.rand(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    assert torch.autograd.gradcheck(lambda x: corrective_weights(x, pairs), inside.requires_grad_())


def test_a_head_without_correctives_has_its_channels_as_shapes() -> None:
    assets, expression = make_toy_head(), lively()
    assert blend_shape_names(assets.shape) == ARKIT_NAMES
    assert blend_shape_dirs(assets.shape) is assets.shape.expression_dirs
    assert blend_shape_weights(assets.shape, expression) is expression


def test_plain_blend_shapes_with_the_extra_weights_make_the_same_shape(assets: HeadAssets) -> None:
    assert blend_shape_names(assets.shape)[52:] == (
        "jawOpen_mouthSmileLeft",
        "eyeLookOutLeft_mouthUpperUpRight",
        "eyeBlinkLeft_half",
    )
    shapes = assets.shape.template + torch.einsum(
        "te,evc->tvc", blend_shape_weights(assets.shape, lively()), blend_shape_dirs(assets.shape)
    )
    torch.testing.assert_close(shapes, written_out(assets, lively()).float(), rtol=0, atol=1e-6)


def test_a_folder_keeps_correctives_and_directions_that_are_mostly_nought(tmp_path: Path, assets: HeadAssets) -> None:
    local = assets.shape.expression_dirs.clone()
    local[:, 5:33] = 0
    own = SurfacePoints(*(part.clone() for part in assets.points.mediapipe))
    assets = replace(
        assets, shape=replace(assets.shape, expression_dirs=local), points=replace(assets.points, mediapipe=own)
    )
    write_head_folder(tmp_path, assets)
    again = read_head_folder(tmp_path)
    assert again.shape.corrective_dirs is not None and again.shape.corrective_pairs is not None
    assert assets.shape.corrective_pairs is not None and torch.equal(
        again.shape.corrective_pairs, assets.shape.corrective_pairs
    )
    torch.testing.assert_close(again.shape.corrective_dirs, assets.shape.corrective_dirs, rtol=0, atol=1e-5)
    torch.testing.assert_close(again.shape.expression_dirs, local, rtol=0, atol=1e-5)
    assert not again.shape.expression_dirs[:, 5:33].any()


def test_leading_identity_coefficients_are_enough() -> None:
    head = HeadModel(make_toy_head(num_betas=5))
    inputs = (lively(2), torch.zeros(2, 5, 3), torch.zeros(2, 3))
    few = torch.tensor([0.5, -1.0])
    whole = torch.cat([few, torch.zeros(3)])
    torch.testing.assert_close(head(*inputs, few), head(*inputs, whole))
    torch.testing.assert_close(head(*inputs, few.requires_grad_()).detach(), head(*inputs, whole))
