"""Idle motion has the measured statistics, and begins in the same way for any length."""

from __future__ import annotations

import math

import pytest
import torch

from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.gestures.gaze import Gaze
from facetalk.motion.gestures.idle import Idle, IdleConfig, sample_idle
from facetalk.motion.gestures.random_processes import BLOCK_FRAMES, Course, sample_loop, sway

HOUR = 30 * 3600


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def still(num_frames: int = 300) -> Motion:
    return still_motion("toy", torch.full((num_frames, 52), 0.1), ARKIT_NAMES, 30.0, 3)


def autocorrelation(rows: torch.Tensor, lag: int) -> float:
    """Mean over many rows of one process, each with the mean zero."""
    return float((rows[:, lag:] * rows[:, : rows.shape[1] - lag]).mean() / rows.square().mean())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("num_frames", [1, 255, 256, 257, 300])
def test_the_first_frames_of_a_longer_recording_are_those_of_a_shorter_one(seed: int, num_frames: int) -> None:
    short, long = (sample_idle(length, seeded(seed)) for length in (num_frames, 1500))
    for name in ("angles", "away", "breath"):
        first, second = getattr(short, name), getattr(long, name)
        assert len(first) == num_frames
        assert torch.equal(first, second[:num_frames])
    assert short.blinks == long.blinks[: len(short.blinks)]


def test_the_generator_moves_on_by_the_same_amount_for_any_length() -> None:
    first, second = seeded(), seeded()
    sample_idle(10, first)
    sample_idle(1000, second)
    assert torch.equal(first.get_state(), second.get_state())


def test_the_same_seed_moves_in_the_same_way_and_another_differently() -> None:
    first, second, other = (sample_idle(200, seeded(seed)) for seed in (1, 1, 2))
    for name in ("angles", "away", "breath"):
        a, b, c = (getattr(idle, name) for idle in (first, second, other))
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
    assert first.blinks == second.blinks != other.blinks


def test_blinks_are_events_while_the_lids_are_away_from_rest() -> None:
    motion = Idle().add(still(3000), None, seeded(3))
    events = motion.events_of("blink")
    assert len(events) == pytest.approx(30, abs=12)
    closed = motion.channel("eyeBlinkLeft") > 0.3
    during = torch.zeros(3000, dtype=torch.bool)
    for event in events[:-1]:  # the end may cut off the last one
        during[math.floor(event.start * 30) : math.ceil(event.end * 30)] = True
        assert closed[math.floor(event.start * 30) : math.ceil(event.end * 30)].any()
    assert not (closed & ~during)[: int(events[-1].start * 30)].any()
    assert Idle(blinks=0).add(still(3000), None, seeded(3)).events == ()


@pytest.mark.parametrize("axis", range(3))
def test_the_sway_has_the_spread_and_the_speed_that_were_measured(axis: int) -> None:
    spread, rate = IdleConfig().head_spread[axis], IdleConfig().head_rate[axis]
    rows = torch.stack([Course(sway(spread, rate, seeded(seed))).take(300) for seed in range(800)])
    assert rows.std().item() == pytest.approx(spread, rel=0.04)
    # Differences between frames are a little slower than the process itself.
    assert (rows.diff() * 30).std().item() == pytest.approx(rate * spread, rel=0.08)
    assert abs(rows.mean().item()) < 0.06 * spread


def test_the_sway_has_the_autocorrelation_of_the_spring_from_the_first_frame_on() -> None:
    rate = 4.0
    rows = torch.stack([Course(sway(1.0, rate, seeded(seed))).take(60) for seed in range(2000)])
    for lag in (1, 5, 15, 30):
        step = rate * lag / 30
        # Of white noise through 1 / (rate^2 + omega^2)^2.
        assert autocorrelation(rows, lag) == pytest.approx((1 + step) * math.exp(-step), abs=0.04)
    assert rows[:, 0].std().item() == pytest.approx(1, abs=0.05)
    assert (rows[:, 1] - rows[:, 0]).std().item() == pytest.approx((rows[:, -1] - rows[:, -2]).std().item(), rel=0.06)


@pytest.mark.parametrize("num_frames", [30, 31, 900])
def test_a_looped_sway_ends_where_it_begins(num_frames: int) -> None:
    rows = torch.stack([sample_loop(num_frames, 2.0, 1.5, seeded(seed)) for seed in range(400)])
    seam, inside = rows[:, 0] - rows[:, -1], rows.diff(dim=1)
    assert seam.std() == pytest.approx(float(inside.std()), rel=0.25)
    assert rows.std() == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("num_frames", [60, 900])
def test_the_last_frame_of_a_loop_is_followed_by_the_first(num_frames: int) -> None:
    for seed in range(5):
        loop = Idle().loop(still(num_frames), seeded(seed))
        for name, most in (("neck_pose", 0.004), ("leye_pose", 0.01), ("transl", 2e-4)):
            rows = getattr(loop, name)
            assert (rows[0] - rows[-1]).abs().max() < most, name
        lids = loop.channel("eyeBlinkLeft")
        assert abs(lids[0] - lids[-1]) < 0.6  # as between any two frames of a blink


def test_nothing_repeats_from_block_to_block() -> None:
    rows = Course(sway(1.0, 4.0, seeded())).take(4 * BLOCK_FRAMES).reshape(4, BLOCK_FRAMES)
    assert torch.corrcoef(rows).fill_diagonal_(0).abs().max() < 0.6


def test_idle_motion_can_be_switched_off() -> None:
    motion = still()
    same = Idle(head_motion=0, blinks=0, gaze=Gaze(amount=0)).add(motion, None, seeded())
    for name in ("expression", "neck_pose", "global_orient", "leye_pose", "reye_pose", "transl"):
        assert torch.equal(getattr(same, name), getattr(motion, name))


def test_blinks_do_not_change_how_the_head_moves() -> None:
    often, never = (Idle(blinks=blinks).add(still(), None, seeded()) for blinks in (3.0, 0.0))
    assert torch.equal(often.neck_pose, never.neck_pose)
    assert torch.equal(often.leye_pose, never.leye_pose)


def test_head_motion_scales_the_head_and_the_eyes_stay_on_the_viewer() -> None:
    looking = Gaze(eye_contact=1.0)
    one, two = (Idle(scale, 0, looking).add(still(), None, seeded()) for scale in (1.0, 1.5))
    assert two.neck_pose.std() == pytest.approx(1.5 * float(one.neck_pose.std()), rel=0.05)
    for motion in (one, two):
        turns = motion.neck_pose + motion.global_orient
        # Within the face of the viewer.
        assert (turns[:, :2] + motion.leye_pose[:, :2]).abs().max() < math.radians(6)
        assert motion.expression.min() >= 0
        assert motion.expression.max() <= 1


def test_neck_and_head_share_the_rotation() -> None:
    motion = Idle().add(still(), None, seeded())
    torch.testing.assert_close(motion.global_orient / 0.3, motion.neck_pose / 0.7)


def test_a_blink_closes_both_lids_whatever_their_level() -> None:
    result = Idle(blinks=3).add(still(), None, seeded())
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        assert 0.95 < result.channel(name).max() <= 1
        assert result.channel(name).min() == pytest.approx(0.1)


def test_an_hour_takes_seconds() -> None:
    import time

    start = time.process_time()
    sample_idle(HOUR, seeded())
    # It takes about one; anything that grows with the square of the length would take minutes.
    assert time.process_time() - start < 20
