"""FACIAL's generator looks back only, joins its windows, and goes on without end."""

from __future__ import annotations

import pytest
import torch

from facetalk.head.behavior import MOVING, NUM_STATES, WINDOW
from facetalk.networks.facial import (
    BehaviorCritic,
    FacialConfig,
    FacialNetwork,
    generated_windows,
    joined,
)
from facetalk.networks.movement import MovementConfig, MovementCourse

TINY = FacialConfig(plane_width=4, width=8, code=4, movement=MovementConfig(width=6, components=2, past=1))


def tiny_network(seed: int = 0) -> FacialNetwork:
    torch.manual_seed(seed)
    network = FacialNetwork(8, NUM_STATES, TINY).eval()
    torch.nn.init.normal_(network.to_states.weight, std=0.3)  # as after training
    network.movement.step.fill_(0.05)
    return network


def rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_window_has_a_state_for_each_frame_and_the_critic_scores_its_patches() -> None:
    movement, before = rows(2, WINDOW, len(MOVING)), rows(2, 2, NUM_STATES)
    states = tiny_network()(rows(2, WINDOW, 8), movement, before)
    assert states.shape == (2, WINDOW, NUM_STATES)
    torch.testing.assert_close(states[:, 0], before[:, 1])
    critic = BehaviorCritic(8, NUM_STATES)
    assert critic(rows(2, WINDOW + 1, 8), rows(2, WINDOW + 1, NUM_STATES)).shape == (2, 8)


@pytest.mark.parametrize("frame", [1, 40, 63, 64, 100, 127])
def test_no_frame_depends_on_later_ones(frame: int) -> None:
    network, movement, before = tiny_network(), rows(1, WINDOW, len(MOVING), seed=1), rows(1, 2, NUM_STATES)
    first = rows(1, WINDOW, 8)
    second = first.clone()
    second[:, frame:] += 1
    same, other = network(first, movement, before), network(second, movement, before)
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
    states[:, MOVING] -= MovementCourse(network.movement, torch.Generator().manual_seed(0)).feed(rows(700, 8))
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


def test_an_untrained_network_adds_nothing_to_the_movement() -> None:
    network = FacialNetwork(8, NUM_STATES, TINY).eval()
    with torch.no_grad():
        states = generated_windows(network, rows(300, 8), torch.Generator().manual_seed(0))
    moved = MovementCourse(network.movement, torch.Generator().manual_seed(0)).feed(rows(300, 8))
    torch.testing.assert_close(states[:, MOVING], moved)
    assert states[:, 3].abs().max() == 0


def test_an_hour_takes_seconds_and_little_memory() -> None:
    import time

    network, features = tiny_network(), torch.zeros(3600, 8)
    start = time.process_time()
    with torch.no_grad():
        generated_windows(network, features, torch.Generator().manual_seed(0))
    assert time.process_time() - start < 3  # of two minutes
