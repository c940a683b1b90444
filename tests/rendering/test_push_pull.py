"""Spreading values: known pixels stay, holes take the mean of their surroundings."""

from __future__ import annotations

import torch

from facetalk.rendering.push_pull import spread


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_known_pixels_keep_their_values() -> None:
    values, known = noise(2, 3, 13, 10), (noise(2, 1, 13, 10, seed=1) > 0.7).float()
    filled = spread(values, known)
    places = known.expand_as(values) > 0
    torch.testing.assert_close(filled[places], values[places])
    assert float(filled.min()) >= float(values.min()) and float(filled.max()) <= float(values.max())


def test_a_hole_takes_the_mean_of_what_is_known_around_it() -> None:
    values, known = torch.tensor([[[[1.0, 9.0], [3.0, 9.0]]]]), torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
    assert spread(values, known)[0, 0].tolist() == [[1.0, 2.0], [3.0, 2.0]]


def test_one_known_pixel_fills_an_image_of_any_shape() -> None:
    for height, columns in ((1, 1), (1, 7), (5, 3), (8, 8)):
        known = torch.zeros(1, 1, height, columns)
        known[..., -1, 0] = 0.5
        torch.testing.assert_close(spread(torch.full_like(known, 4.0), known), torch.full_like(known, 4.0))
