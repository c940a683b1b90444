from __future__ import annotations

import torch

from facetalk.core.landmarks import IBUG_LOWER_INNER_LIP, IBUG_MOUTH_CORNERS, IBUG_MOUTH_SLICE, IBUG_UPPER_INNER_LIP
from facetalk.head.assets import HeadAssets
from facetalk.head.model import HeadModel
from facetalk.losses.geometry import LipGeometry, MouthVertices


def test_lips_and_curves_are_what_the_head_does_in_millimetres(toy_assets: HeadAssets, toy_head: HeadModel) -> None:
    expression = torch.rand(4, 52, generator=torch.Generator().manual_seed(0))
    geometry = LipGeometry(toy_assets)
    still = torch.zeros(4, 3)
    posed = toy_head(expression, torch.zeros(4, 5, 3), still, torch.zeros(toy_head.num_betas))
    moved = 1000 * (toy_assets.points.landmarks.on(posed) - toy_assets.points.landmarks.on(toy_assets.shape.template))
    torch.testing.assert_close(geometry.lips(expression), moved[:, IBUG_MOUTH_SLICE].flatten(1), atol=1e-3, rtol=1e-4)
    gap = moved[:, list(IBUG_UPPER_INNER_LIP), 1].mean(1) - moved[:, list(IBUG_LOWER_INNER_LIP), 1].mean(1)
    right, left = IBUG_MOUTH_CORNERS
    width = moved[:, left, 0] - moved[:, right, 0]
    torch.testing.assert_close(geometry.curves(expression), torch.stack([gap, width], 1), atol=1e-3, rtol=1e-4)


def test_mouth_vertices_move_as_the_head_moves_them(toy_assets: HeadAssets, toy_head: HeadModel) -> None:
    expression = torch.rand(1, 6, 52, generator=torch.Generator().manual_seed(0))
    mouth = MouthVertices(toy_assets, 5)
    posed = toy_head(expression[0], torch.zeros(6, 5, 3), torch.zeros(6, 3), torch.zeros(toy_head.num_betas))
    region = toy_assets.points.regions["mouth"]
    moved = 1000 * posed[:, region[torch.linspace(0, len(region) - 1, 5).long()]]
    torch.testing.assert_close(mouth(expression)[0], moved - moved.mean(0), atol=1e-3, rtol=1e-4)
