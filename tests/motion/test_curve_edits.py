"""Edits of single curves: spans in seconds, easing, contacts and locks."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from facetalk.core.edit_list import Edit, EditList
from facetalk.core.errors import FacetalkError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.rotations import axis_angle_to_matrix, yaw_pitch_roll
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.contacts import CLOSED_LIPS, lip_opening
from facetalk.motion.curve_edits import edited
from facetalk.motion.curves import Curves
from facetalk.motion.frame_rate import at_frame_rate
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion


def level(value: float = 0.2, num_frames: int = 120) -> Motion:
    return still_motion("toy", torch.full((num_frames, 52), value), ARKIT_NAMES, 30.0, 3)


def with_edits(motion: Motion, *edits: dict[str, Any]) -> Motion:
    return edited(motion, EditList(1, tuple(Edit(**edit) for edit in edits)))


def test_an_offset_holds_over_its_span_and_fades_outside() -> None:
    result = with_edits(level(), {"channel": "browInnerUp", "span": (1.0, 2.0), "offset": 0.3, "ease_s": 0.5})
    curve = result.channel("browInnerUp")
    torch.testing.assert_close(curve[30:61], torch.full((31,), 0.5))
    torch.testing.assert_close(curve[:15], torch.full((15,), 0.2))
    torch.testing.assert_close(curve[76:], torch.full((44,), 0.2))
    assert (curve[15:31].diff() > 0).all()
    torch.testing.assert_close(curve[15:31], curve[60:76].flip(0))
    others = [column for column, name in enumerate(ARKIT_NAMES) if name != "browInnerUp"]
    assert torch.equal(result.expression[:, others], level().expression[:, others])


def test_smooth_and_linear_easing_meet_half_way_and_differ_between() -> None:
    edit = {"channel": "browInnerUp", "span": (1.0, 2.0), "value": 1.0, "ease_s": 0.4}
    smooth, linear = (with_edits(level(0.0), {**edit, "easing": easing}) for easing in ("smooth", "linear"))
    torch.testing.assert_close(linear.channel("browInnerUp")[18:31], torch.linspace(0, 1, 13), atol=1e-4, rtol=0)
    assert smooth.channel("browInnerUp")[24] == pytest.approx(0.5, abs=1e-4)
    assert smooth.channel("browInnerUp")[20] < linear.channel("browInnerUp")[20]


def test_without_easing_an_edit_is_a_step() -> None:
    result = with_edits(level(), {"channel": "cheekPuff", "span": (1.0, 1.1), "gain": 2.0, "ease_s": 0.0})
    assert (result.channel("cheekPuff") > 0.3).nonzero()[:, 0].tolist() == [30, 31, 32, 33]


def test_edits_act_in_their_order_and_on_both_sides() -> None:
    result = with_edits(
        level(), {"channel": "mouthSmile", "offset": 0.3}, {"channel": "mouthSmile", "gain": 0.5},
        {"channel": "mouthSmileLeft", "offset": 0.1},
    )  # fmt: skip
    torch.testing.assert_close(result.channel("mouthSmileRight")[0], torch.tensor(0.25))
    torch.testing.assert_close(result.channel("mouthSmileLeft")[0], torch.tensor(0.35))


@pytest.mark.parametrize("fps", [24, 25, 29.97, 50, 60])
def test_edits_survive_another_frame_rate(fps: float) -> None:
    edits = [
        {"channel": "browInnerUp", "span": (1.0, 2.0), "offset": 0.3, "ease_s": 0.5},
        {"channel": "headYaw", "span": (1.5, 3.0), "value": 12.0, "ease_s": 0.4},
    ]
    before, after = (with_edits(at_frame_rate(level(), fps), *edits), at_frame_rate(with_edits(level(), *edits), fps))
    torch.testing.assert_close(before.expression, after.expression, atol=0.01, rtol=0)
    torch.testing.assert_close(before.neck_pose, after.neck_pose, atol=0.01, rtol=0)


def test_head_angles_are_set_in_degrees_and_leave_the_others() -> None:
    motion = lively_motion(make_toy_head(), 30).replace(global_orient=torch.zeros(30, 3))
    result = with_edits(motion, {"channel": "headPitch", "span": (0.5, 0.8), "value": -5.0, "ease_s": 0.0})
    angles = [yaw_pitch_roll(axis_angle_to_matrix(m.neck_pose)).rad2deg() for m in (motion, result)]
    torch.testing.assert_close(angles[1][15:25, 1], torch.full((10,), -5.0), atol=1e-3, rtol=0)
    torch.testing.assert_close(angles[1][:, [0, 2]], angles[0][:, [0, 2]], atol=1e-3, rtol=0)
    assert torch.equal(result.neck_pose[:15], motion.neck_pose[:15])
    assert torch.equal(result.neck_pose[25:], motion.neck_pose[25:])


def test_a_tracked_head_turns_as_a_whole() -> None:
    motion = level().replace(global_orient=torch.tensor([[0.0, 0.1, 0.0]]).repeat(120, 1))
    result = with_edits(motion, {"channel": "headYaw", "offset": 10.0})
    assert not result.neck_pose.any()
    assert Curves(result).read("headYaw")[0] == pytest.approx(10 + 5.7296, abs=1e-3)


def test_eyes_turn_together_with_their_lids() -> None:
    result = with_edits(level(0.0), {"channel": "eyesYaw", "span": (1.0, 2.0), "value": 7.0, "ease_s": 0.0})
    for pose in (result.leye_pose, result.reye_pose):
        assert pose[40].rad2deg().tolist() == pytest.approx([0, 7, 0], abs=1e-4)
    assert result.channel("eyeLookOutLeft")[40] == pytest.approx(0.2)
    assert result.channel("eyeLookInRight")[40] == pytest.approx(0.2)
    assert not result.expression[:30].any()


def speaking() -> Motion:
    motion = level(0.0)
    expression = motion.expression.clone()
    expression[:, ARKIT_NAMES.index("jawOpen")] = 0.4
    expression[40:44, ARKIT_NAMES.index("jawOpen")] = 0.0
    return motion.replace(expression=expression)


def test_lips_still_close_under_an_edit_but_not_under_a_lock() -> None:
    edit = {"channel": "jawOpen", "span": (1.0, 2.0), "value": 0.55}
    free = with_edits(speaking(), edit)
    assert lip_opening(free)[40:44].max() <= CLOSED_LIPS
    assert free.channel("jawOpen")[35] == pytest.approx(0.55)
    locked = with_edits(speaking(), {**edit, "lock": True})
    assert (locked.channel("jawOpen")[30:61] == torch.tensor(0.55)).all()
    assert lip_opening(locked)[10] == pytest.approx(0.4)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 60])
def test_a_lock_is_exact_whatever_comes_after_it(fps: float) -> None:
    motion = at_frame_rate(speaking(), fps)
    result = with_edits(
        motion,
        {"channel": "mouthSmile", "span": (1.0, 2.0), "value": 0.7, "lock": True},
        {"channel": "mouthSmileLeft", "offset": -0.5},
        {"channel": "mouthSmile", "gain": 0.1},
    )
    times = torch.arange(motion.num_frames) / motion.fps
    inside = (times >= 1 - 1e-6) & (times <= 2 + 1e-6)
    for side in ("Left", "Right"):
        assert (result.channel(f"mouthSmile{side}")[inside] == torch.tensor(0.7)).all()
    assert result.channel("mouthSmileRight")[0] == 0


def test_an_edit_of_the_lids_may_take_away_a_blink() -> None:
    motion = level(0.0)
    motion.expression[50:53, ARKIT_NAMES.index("eyeBlinkLeft")] = 1.0
    result = with_edits(motion, {"channel": "eyeBlink", "span": (1.5, 2.0), "value": 0.0})
    assert result.channel("eyeBlinkLeft").max() == 0


def test_locks_that_contradict_each_other_are_refused() -> None:
    first = {"channel": "mouthSmile", "span": (1.0, 2.0), "value": 0.7, "lock": True}
    with pytest.raises(FacetalkError, match="edits 1 and 2 lock mouthSmileLeft to different values at the same time"):
        with_edits(level(), first, {"channel": "mouthSmileLeft", "value": 0.1, "lock": True})
    with_edits(level(), first, {**first, "span": (2.5, 3.0), "value": 0.1})
    with_edits(level(), first, {**first, "span": (1.5, 3.0)})


def test_an_unknown_channel_is_named_with_its_edit() -> None:
    with pytest.raises(FacetalkError, match=r"edit 2: unknown channel 'jawopen'; did you mean jawOpen\?"):
        with_edits(level(), {"channel": "jawOpen", "offset": 0.1}, {"channel": "jawopen", "offset": 0.1})


def test_a_span_beyond_the_motion_changes_nothing() -> None:
    result = with_edits(level(), {"channel": "jawOpen", "span": (50.0, 60.0), "offset": 0.3})
    assert torch.equal(result.expression, level().expression)
