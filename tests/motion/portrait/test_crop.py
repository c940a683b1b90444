"""The square around a head."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.motion.portrait.crop import CROP_M, CROP_PX, PortraitCrop
from tests.motion.portrait.scenes import K

CENTER = torch.tensor([0.03, -0.05, -0.9])


@pytest.mark.parametrize("roll", [0.0, 0.6, -2.0])
def test_a_head_stands_upright_in_its_crop_however_it_is_tilted(roll: float) -> None:
    turn = axis_angle_to_matrix(torch.tensor([0.0, 0.0, roll]))
    crop = PortraitCrop.around(CENTER, turn[:, 1], K)
    above, beside = (CENTER + 0.1 * turn[:, axis] for axis in (1, 0))
    center, above, beside = (at[:2] / at[2] for at in crop.homogeneous(torch.stack([CENTER, above, beside]), K))
    px = CROP_PX / CROP_M
    torch.testing.assert_close(above - center, torch.tensor([0.0, -0.1 * px]), atol=0.5, rtol=0)
    torch.testing.assert_close(beside - center, torch.tensor([0.1 * px, 0.0]), atol=0.5, rtol=0)
    torch.testing.assert_close(center, torch.tensor([CROP_PX / 2, CROP_PX / 2 + 0.02 * px]), atol=0.5, rtol=0)


def test_both_maps_are_inverse_and_a_scaled_image_has_the_same_crop() -> None:
    crop = PortraitCrop.around(CENTER, torch.tensor([0.3, 0.9, 0.1]), K)
    points = torch.rand(5, 2, generator=torch.Generator().manual_seed(0)) * 300
    back = crop.pixels(points) @ crop.to_image[:, :2].T + crop.to_image[:, 2]
    torch.testing.assert_close(back, points, atol=1e-2, rtol=0)
    twice = crop.scaled(torch.tensor([2.0, 2.0]))
    torch.testing.assert_close(twice.pixels(2 * points), crop.pixels(points), atol=1e-3, rtol=0)


def test_a_crop_of_the_images_own_size_is_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 255, (CROP_PX, CROP_PX, 3)).astype(np.uint8)
    crop = PortraitCrop(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]))
    np.testing.assert_array_equal(crop.cut(image), image)
    np.testing.assert_array_equal(crop.shifted(5, 9).cut(image)[:-9, :-5], image[9:, 5:])
    assert crop.bounds((200, 150)) == (slice(0, 150), slice(0, 200))
