from __future__ import annotations

import math

import pytest
import torch

from facetalk.core.types import Motion, still_motion
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.gestures.idle import IdleConfig, add_idle, draw_blinks, draw_idle, draw_sway


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def motion() -> Motion:
    return still_motion("toy", torch.full((300, 52), 0.1), ARKIT_NAMES, 30.0, 3)


def test_the_same_seed_blinks_at_the_same_frame() -> None:
    first, second, other = (draw_idle(200, chance(seed)) for seed in (1, 1, 2))
    for a, b in zip(first, second, strict=True):
        torch.testing.assert_close(a, b)
    assert not torch.equal(first.head, other.head)


def test_blinks_are_as_frequent_as_asked_and_short() -> None:
    config = IdleConfig()
    closure = draw_blinks(30 * 3600, chance(), config)
    closed = torch.cat([torch.zeros(1), (closure > 0.5).float(), torch.zeros(1)]).diff()
    starts, stops = (closed == 1).nonzero()[:, 0], (closed == -1).nonzero()[:, 0]
    assert len(starts) / 3600 == pytest.approx(config.blink_rate, rel=0.1)
    assert (stops - starts).max() / 30 <= 0.3
    assert closure.max() == 1
    assert closure.min() >= 0


def test_the_sway_has_the_spread_and_the_speed_that_were_measured() -> None:
    sway = draw_sway(30 * 3600, spread=0.02, rate=4.0, chance=chance())
    assert sway.std().item() == pytest.approx(0.02, rel=0.1)
    assert (sway.diff() * 30).std().item() == pytest.approx(0.08, rel=0.1)


@pytest.mark.parametrize("num_frames", [1, 2, 31])
def test_short_clips_are_filled(num_frames: int) -> None:
    idle = draw_idle(num_frames, chance())
    assert (len(idle.blink), len(idle.head), len(idle.gaze)) == (num_frames,) * 3


def test_idle_movements_can_be_switched_off(motion: Motion) -> None:
    still = add_idle(motion, chance(), blinks=0, head_motion=0)
    torch.testing.assert_close(still.expression, motion.expression)
    torch.testing.assert_close(still.neck_pose, motion.neck_pose)
    torch.testing.assert_close(still.leye_pose, motion.leye_pose)


def test_head_motion_scales_the_head_and_the_eyes_hold_the_viewer(motion: Motion) -> None:
    one, two = (add_idle(motion, chance(), blinks=0, head_motion=scale) for scale in (1.0, 2.0))
    torch.testing.assert_close(two.neck_pose, 2 * one.neck_pose)
    sight = one.neck_pose[:, :2] + one.leye_pose[:, :2]
    assert sight.abs().max() < math.radians(10)
    assert one.expression.min() >= 0
    assert one.expression.max() <= 1


def test_a_blink_closes_both_lids_whatever_their_level(motion: Motion) -> None:
    result = add_idle(motion, chance(), blinks=3)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        assert result.channel(name).max() == pytest.approx(1)
        assert result.channel(name).min() == pytest.approx(0.1)


def test_idle_movements_need_the_internal_frame_rate(motion: Motion) -> None:
    with pytest.raises(ValueError, match="30 fps"):
        add_idle(motion.to_fps(25.0), chance())
