"""FACIAL's generator looks back only, joins its windows, and goes on without end."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from facetalk.head.behavior import NUM_STATES, WINDOW
from facetalk.networks.facial import (
    BehaviorCritic,
    FacialConfig,
    FacialNetwork,
    generated_windows,
    joined,
    smooth_noise,
    streamed_noise,
)

TINY = FacialConfig(plane_width=4, width=8, code=4, noise=2)


def tiny_network(seed: int = 0) -> FacialNetwork:
    torch.manual_seed(seed)
    return FacialNetwork(8, NUM_STATES, TINY).eval()


def rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_window_has_a_state_for_each_frame_and_the_critic_scores_its_patches() -> None:
    noise, before = rows(2, WINDOW, TINY.noise_width), rows(2, 2, NUM_STATES)
    states = tiny_network()(rows(2, WINDOW, 8), noise, before)
    assert states.shape == (2, WINDOW, NUM_STATES)
    torch.testing.assert_close(states[:, 0], before[:, 1])
    critic = BehaviorCritic(8, NUM_STATES)
    assert critic(rows(2, WINDOW + 1, 8), rows(2, WINDOW + 1, NUM_STATES)).shape == (2, 8)


@pytest.mark.parametrize("frame", [1, 40, 63, 64, 100, 127])
def test_no_frame_depends_on_later_ones(frame: int) -> None:
    network, noise, before = tiny_network(), rows(1, WINDOW, TINY.noise_width, seed=1), rows(1, 2, NUM_STATES)
    first = rows(1, WINDOW, 8)
    second = first.clone()
    second[:, frame:] += 1
    same, other = network(first, noise, before), network(second, noise, before)
    assert torch.equal(same[:, :frame], other[:, :frame])
    assert not torch.equal(same[:, frame], other[:, frame])


def test_states_leave_the_initial_one_like_a_critically_damped_spring() -> None:
    goal, settling = torch.zeros(1, 400, 1), torch.tensor([12.0])
    place, speed = 2.0, -0.3
    found = joined(goal, torch.tensor([[[place - speed], [place]]]), settling)[0, :, 0]
    # Integrated in small steps.
    x, v, step = place, speed, 1e-3
    for frame in range(60):
        assert float(found[frame]) == pytest.approx(x, abs=2e-3)
        for _ in range(1000):
            v += step * (-2 * v / 12 - x / 144)
            x += step * v
    assert abs(float(found[-1])) < 1e-6


def test_windows_join_without_a_jump_in_place_or_speed() -> None:
    network = tiny_network()
    with torch.no_grad():
        states = generated_windows(network, rows(700, 8), torch.Generator().manual_seed(0))
    steps = states.diff(dim=0)
    seams = torch.arange(WINDOW - 1, 690, WINDOW - 1)
    usual = steps.abs().amax(0)
    assert (steps[seams].abs() <= usual).all()
    changes = steps.diff(dim=0).abs()
    assert (changes[seams - 1] <= 1.5 * changes.amax(0)).all()
    assert states.abs().max() < 20


@pytest.mark.parametrize("num_frames", [1, 2, 127, 128, 129, 300])
def test_a_longer_recording_begins_as_a_shorter_one(num_frames: int) -> None:
    network, features = tiny_network(), rows(600, 8)
    with torch.no_grad():
        short, long = (
            generated_windows(network, part, torch.Generator().manual_seed(3))
            for part in (features[:num_frames], features)
        )
    assert torch.equal(short, long[:num_frames])


def test_noise_has_unit_variance_and_the_speed_of_its_process() -> None:
    torch.manual_seed(0)
    noise = smooth_noise(FacialConfig(noise=3, noise_rates=(1.5, 9.0)), 400)
    torch.testing.assert_close(noise.std((0, 1)), torch.ones(6), atol=0.12, rtol=0)
    speed = noise.diff(dim=1).std((0, 1)) * 30
    # The standard deviation of the speed of a process with a double pole is its rate.
    torch.testing.assert_close(speed, torch.tensor([1.5, 1.5, 1.5, 9.0, 9.0, 9.0]), atol=0, rtol=0.2)


def test_streamed_noise_goes_on_without_a_seam() -> None:
    config = FacialConfig(noise=1, noise_rates=(1.5,))
    rows = torch.cat(list(islice(streamed_noise(config, torch.Generator().manual_seed(0)), 4)))
    changes = rows[1:] - rows[:-1]
    assert changes.abs().max() < 0.4
    assert rows.std() == pytest.approx(1, abs=0.3)


def test_an_hour_takes_seconds_and_little_memory() -> None:
    import time

    network, features = tiny_network(), torch.zeros(3600, 8)
    start = time.process_time()
    with torch.no_grad():
        generated_windows(network, features, torch.Generator().manual_seed(0))
    assert time.process_time() - start < 3  # of two minutes
