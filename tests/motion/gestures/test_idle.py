"""Idle motion has the measured statistics, and begins in the same way for any length."""

from __future__ import annotations

import math

import pytest
import torch

from facetalk.core.motion import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.gestures.idle import (
    BLOCK_FRAMES,
    Idle,
    IdleConfig,
    lid_closure,
    sample_blinks,
    sample_gaze,
    sample_idle,
    sample_sway,
)

HOUR = 30 * 3600


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def still(num_frames: int = 300) -> Motion:
    return still_motion("toy", torch.full((num_frames, 52), 0.1), ARKIT_NAMES, 30.0, 3)


def blinking(num_frames: int, seed: int = 0) -> torch.Tensor:
    return lid_closure(num_frames, sample_blinks(num_frames, seeded(seed), IdleConfig()))


def autocorrelation(rows: torch.Tensor, lag: int) -> float:
    """Mean over many rows of one process, each with the mean zero."""
    return float((rows[:, lag:] * rows[:, : rows.shape[1] - lag]).mean() / rows.square().mean())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("num_frames", [1, 255, 256, 257, 300])
def test_the_first_frames_of_a_longer_recording_are_those_of_a_shorter_one(seed: int, num_frames: int) -> None:
    (*short, blinks), (*long, later) = (sample_idle(length, seeded(seed)) for length in (num_frames, 1500))
    for first, second in zip(short, long, strict=True):
        assert len(first) == num_frames
        assert torch.equal(first, second[:num_frames])
    assert blinks == later[: len(blinks)]


def test_a_blink_that_begins_at_the_end_of_a_shorter_recording_is_not_lost() -> None:
    closure = blinking(3000)
    start = int((closure > 0).nonzero()[0]) + 2  # the lids have begun to close and are not at their peak
    torch.testing.assert_close(blinking(start), closure[:start], atol=0, rtol=0)
    assert 0 < closure[start - 1] < 1


def test_the_generator_moves_on_by_the_same_amount_for_any_length() -> None:
    first, second = seeded(), seeded()
    sample_idle(10, first)
    sample_idle(1000, second)
    assert torch.equal(first.get_state(), second.get_state())


def test_the_same_seed_moves_in_the_same_way_and_another_differently() -> None:
    first, second, other = (sample_idle(200, seeded(seed)) for seed in (1, 1, 2))
    for a, b, c in zip(first[:3], second[:3], other[:3], strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
    assert first.blinks == second.blinks != other.blinks


def test_blinks_are_as_frequent_as_measured_and_short() -> None:
    config = IdleConfig()
    closure = torch.cat([blinking(HOUR // 4, seed) for seed in range(12)])
    closed = torch.cat([torch.zeros(1), (closure > 0.5).float(), torch.zeros(1)]).diff()
    starts, stops = (closed == 1).nonzero()[:, 0], (closed == -1).nonzero()[:, 0]
    assert len(starts) / (len(closure) / 30) == pytest.approx(config.blink_rate, rel=0.06)
    assert (stops - starts).max() / 30 <= 0.3
    assert (closure.min(), closure.max()) == (0, 1)
    intervals = starts.diff() / 30
    assert intervals[intervals > 0.5].log().std() == pytest.approx(config.interval_spread, rel=0.15)


def test_blinks_are_events_while_the_lids_are_away_from_rest() -> None:
    motion = Idle().add(still(3000), None, seeded(3))
    events = motion.events_of("blink")
    assert len(events) == pytest.approx(33, abs=12)
    closed = motion.channel("eyeBlinkLeft") > 0.3
    during = torch.zeros(3000, dtype=torch.bool)
    for event in events:
        during[round(event.start * 30) : round(event.end * 30)] = True
        assert closed[round(event.start * 30) : round(event.end * 30)].any()
    assert not (closed & ~during).any()
    assert Idle(blinks=0).add(still(3000), None, seeded(3)).events == ()


@pytest.mark.parametrize("axis", range(3))
def test_the_sway_has_the_spread_and_the_speed_that_were_measured(axis: int) -> None:
    spread, rate = IdleConfig().head_spread[axis], IdleConfig().head_rate[axis]
    rows = torch.stack([sample_sway(300, spread, rate, seeded(seed)) for seed in range(800)])
    assert rows.std().item() == pytest.approx(spread, rel=0.04)
    # Differences between frames are a little slower than the process itself.
    assert (rows.diff() * 30).std().item() == pytest.approx(rate * spread, rel=0.08)
    assert abs(rows.mean().item()) < 0.06 * spread


def test_the_sway_has_the_autocorrelation_of_the_spring_from_the_first_frame_on() -> None:
    rate = 4.0
    rows = torch.stack([sample_sway(60, 1.0, rate, seeded(seed)) for seed in range(2000)])
    for lag in (1, 5, 15, 30):
        step = rate * lag / 30
        # Of white noise through 1 / (rate^2 + omega^2)^2.
        assert autocorrelation(rows, lag) == pytest.approx((1 + step) * math.exp(-step), abs=0.04)
    assert rows[:, 0].std().item() == pytest.approx(1, abs=0.05)
    assert (rows[:, 1] - rows[:, 0]).std().item() == pytest.approx((rows[:, -1] - rows[:, -2]).std().item(), rel=0.06)


def test_glances_are_as_frequent_and_as_wide_as_stated() -> None:
    config = IdleConfig()
    gaze = sample_gaze(HOUR, seeded(), config)
    moves = (gaze.diff(dim=0).abs() > 0).any(1)
    # A glance takes two frames.
    assert moves.float().mean() * 30 / 2 == pytest.approx(1 / config.fixation_s, rel=0.06)
    torch.testing.assert_close(gaze.rad2deg().std(0), torch.tensor(config.gaze_spread), atol=0, rtol=0.06)


def test_nothing_repeats_from_block_to_block() -> None:
    sway = sample_sway(4 * BLOCK_FRAMES, 1.0, 4.0, seeded()).reshape(4, BLOCK_FRAMES)
    assert torch.corrcoef(sway).fill_diagonal_(0).abs().max() < 0.6


def test_idle_motion_can_be_switched_off() -> None:
    motion = still()
    same = Idle(head_motion=0, blinks=0).add(motion, None, seeded())
    for name in ("expression", "neck_pose", "leye_pose", "reye_pose"):
        assert torch.equal(getattr(same, name), getattr(motion, name))


def test_blinks_do_not_change_how_the_head_moves() -> None:
    often, never = (Idle(blinks=blinks).add(still(), None, seeded()) for blinks in (3.0, 0.0))
    assert torch.equal(often.neck_pose, never.neck_pose)
    assert torch.equal(often.leye_pose, never.leye_pose)


def test_head_motion_scales_the_head_and_the_eyes_stay_on_the_viewer() -> None:
    one, two = (Idle(head_motion=scale, blinks=0).add(still(), None, seeded()) for scale in (1.0, 2.0))
    torch.testing.assert_close(two.neck_pose, 2 * one.neck_pose)
    assert (one.neck_pose[:, :2] + one.leye_pose[:, :2]).abs().max() < math.radians(10)
    assert one.expression.min() >= 0
    assert one.expression.max() <= 1


def test_a_blink_closes_both_lids_whatever_their_level() -> None:
    result = Idle(blinks=3).add(still(), None, seeded())
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        assert result.channel(name).max() == pytest.approx(1)
        assert result.channel(name).min() == pytest.approx(0.1)


def test_an_hour_takes_seconds() -> None:
    import time

    start = time.process_time()
    sample_idle(HOUR, seeded())
    # It takes about one; anything that grows with the square of the length would take minutes.
    assert time.process_time() - start < 20
