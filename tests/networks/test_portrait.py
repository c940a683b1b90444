"""The networks of the portrait renderer."""

from __future__ import annotations

import pytest
import torch

from facetalk.networks.portrait import NUM_CUES, WINDOW_FRAMES, PortraitConfig, PortraitNetwork, warp

TINY = PortraitConfig(code=8, widths=(4, 6))
CORNER = (5, 9)
GUESS = torch.full((3, 3, 32, 32), 0.5)


def inputs(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    photo = torch.rand(batch, 3, 64, 64, generator=generator)
    cues = torch.zeros(batch, NUM_CUES - 5, 32, 32)
    cues[:, :2] = 1
    return photo, torch.zeros(batch, 2, 32, 32), cues, torch.randn(batch, WINDOW_FRAMES, 10, generator=generator)


def test_a_photo_that_is_warped_by_no_flow_is_its_window() -> None:
    photo, flow, _, _ = inputs()
    torch.testing.assert_close(warp(photo, flow, CORNER), photo[:, :, 9:41, 5:37], atol=1e-5, rtol=0)


def test_a_flow_of_whole_pixels_reads_the_photo_elsewhere_and_its_edge_beyond_it() -> None:
    photo, flow, _, _ = inputs()
    shifted = warp(photo, flow + torch.tensor([4.0, -3.0])[:, None, None], CORNER)
    torch.testing.assert_close(shifted, photo[:, :, 6:38, 9:41], atol=1e-4, rtol=0)
    beyond = warp(photo, flow - 500, CORNER)
    torch.testing.assert_close(beyond, photo[:, :, :1, :1].expand_as(beyond))


def test_an_untrained_network_leaves_a_photo_that_shows_everything_nearly_as_it_is() -> None:
    torch.manual_seed(0)
    network = PortraitNetwork(10, TINY)
    photo, flow, cues, motion = inputs()
    hidden = cues.clone()
    hidden[:, 0, 8:16] = 0
    with torch.no_grad():
        whole, partly = (network(photo, flow, c, GUESS[:2], network.code(motion), CORNER) for c in (cues, hidden))
    window = photo[:, :, 9:41, 5:37]
    torch.testing.assert_close(whole.images, window, atol=0.1, rtol=0)
    torch.testing.assert_close(partly.images[:, :, 8:16], torch.full((2, 3, 8, 32), 0.5), atol=0.1, rtol=0)
    torch.testing.assert_close(partly.images[:, :, 20:], window[:, :, 20:])


def test_nothing_changes_away_from_what_the_photo_lacks() -> None:
    torch.manual_seed(0)
    network = PortraitNetwork(10, TINY)
    last = network.editing.last[-1]
    assert isinstance(last, torch.nn.Conv2d)
    torch.nn.init.normal_(last.weight, std=1.0)
    photo, flow, cues, motion = inputs()
    cues[:, 0, 14:18, 14:18] = 0
    with torch.no_grad():
        change = network(photo, flow, cues, GUESS[:2], network.code(motion), CORNER).change
    assert float(change[:, :, 15:17, 15:17].abs().min()) > 0
    assert float(change[:, :, :9].abs().max()) == float(change[:, :, :, 24:].abs().max()) == 0


@pytest.mark.parametrize("size", [1, 3])
def test_a_frame_does_not_depend_on_its_batch(size: int) -> None:
    torch.manual_seed(0)
    network = PortraitNetwork(10, TINY).eval()
    photo, flow, cues, motion = inputs(3)
    flow = flow + torch.randn(3, 2, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = network(photo, flow, cues, GUESS[: len(photo)], network.code(motion), CORNER).images
        part = network(photo[:size], flow[:size], cues[:size], GUESS[:size], network.code(motion[:size]), CORNER).images
    torch.testing.assert_close(whole[:size], part, atol=1e-5, rtol=0)


def test_the_motion_changes_what_is_drawn() -> None:
    torch.manual_seed(0)
    network = PortraitNetwork(10, TINY).eval()
    photo, flow, cues, motion = inputs()
    cues[:, 0] = 0
    with torch.no_grad():
        one, other = (
            network(photo, flow, cues, GUESS[: len(photo)], network.code(m), CORNER).images
            for m in (motion, motion + 1)
        )
    assert float((one - other).abs().max()) > 1e-5
