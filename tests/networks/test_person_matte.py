"""The network that tells a person from the background."""

from __future__ import annotations

import torch

from facetalk.networks.person_matte import MATTE_SIDE, PersonMatte, PersonMatteConfig


def test_a_matte_does_not_depend_on_the_batch_and_knows_where_pixels_lie() -> None:
    torch.manual_seed(0)
    network = PersonMatte(PersonMatteConfig(fine=8, widths=(8, 8))).eval()
    images = torch.rand(2, 3, MATTE_SIDE, MATTE_SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        both, first = network(images), network(images[:1])
        flat = network(torch.full((1, 3, MATTE_SIDE, MATTE_SIDE), 0.5))
    assert both.shape == (2, MATTE_SIDE, MATTE_SIDE)
    torch.testing.assert_close(both[:1], first, atol=1e-4, rtol=0)
    assert float((flat[0, 30] - flat[0, 130]).abs().max()) > 1e-3
