"""Trimmed, retimed, joined and looped motions: frames, rotations, events and what is said about the speech."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from facetalk.core.audio_part import AudioPart
from facetalk.core.camera import Camera
from facetalk.core.errors import FacetalkError, UsageError
from facetalk.core.events import Event
from facetalk.core.motion import POSES, Motion, still_motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.contacts import lip_opening
from facetalk.motion.edits import joined, looped, retimed, trimmed
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion

SPEECH = {"command": "animate", "speech": "a.wav", "speech_fingerprint": "abc", "from": 1.0}


def lively(num_frames: int = 60, **changes: Any) -> Motion:
    motion = lively_motion(make_toy_head(), num_frames)
    return motion.replace(**{"meta": SPEECH, "events": (Event("word", 0.5, 0.9, "well"),), **changes})


def test_a_trimmed_motion_has_the_frames_events_and_speech_of_its_span() -> None:
    motion = lively()
    part = trimmed(motion, 0.6, 1.5)
    assert torch.equal(part.expression, motion.expression[18:45])
    assert torch.equal(part.neck_pose, motion.neck_pose[18:45])
    (event,) = part.events
    assert (event.start, event.end, event.label) == (0.0, pytest.approx(0.3), "well")
    assert AudioPart.of(part.meta) == AudioPart(None, 1.6, 2.5)
    assert trimmed(motion, 0.0).meta == motion.meta
    assert trimmed(motion, 0.0, 99.0).num_frames == 60


def test_trimming_twice_is_trimming_once() -> None:
    motion = lively()
    twice, once = trimmed(trimmed(motion, 0.5, 1.8), 0.2, 1.0), trimmed(motion, 0.7, 1.5)
    assert torch.equal(twice.expression, once.expression)
    assert AudioPart.of(twice.meta) == AudioPart.of(once.meta)


@pytest.mark.parametrize(
    ("start", "end"), [(2.0, None), (1.0, 1.0), (1.5, 0.5), (3.0, 4.0), (-1.0, 1.0), (math.inf, None), (0.0, -math.inf)]
)
def test_a_trim_that_leaves_nothing_is_refused(start: float, end: float | None) -> None:
    with pytest.raises(UsageError, match=r"nothing is left from .*; the motion lasts 2.00 s"):
        trimmed(lively(), start, end)


@pytest.mark.parametrize("speed", [0.5, 1.1, 2.0])
def test_a_retimed_motion_has_its_events_and_its_speech_at_the_new_tempo(speed: float) -> None:
    motion = lively()
    result = retimed(motion, speed)
    assert result.fps == 30
    assert result.duration_s == pytest.approx(2 / speed, abs=0.5 / 30)
    (event,) = result.events
    assert (event.start, event.end) == pytest.approx((0.5 / speed, 0.9 / speed))
    assert AudioPart.of(result.meta) == AudioPart(None, 1.0, None, speed)
    assert AudioPart.of(trimmed(result, 0.2, 0.6).meta).start_s == pytest.approx(1 + 0.2 * speed, abs=1e-6)
    assert retimed(motion, 1.0) is motion


def test_half_the_speed_keeps_every_frame_and_puts_one_on_the_arc_between() -> None:
    turn = torch.tensor([[0.0, 3.0, 0], [0.0, -3.0, 0]])  # across the half turn, 16 degrees apart
    motion = still_motion("toy", torch.rand(2, 52), ARKIT_NAMES, 30.0, 3).replace(global_orient=turn)
    slow = retimed(motion, 0.5)
    assert torch.equal(slow.expression[[0, 2]], motion.expression)
    assert axis_angle_to_matrix(slow.global_orient[1])[2, 2] == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("speed", [1.3, 1.9, 3.0])
def test_a_faster_mouth_still_closes(speed: float) -> None:
    jaw = torch.full((300,), 0.5)
    jaw[7:290:13] = 0.0
    expression = torch.zeros(300, 52)
    expression[:, ARKIT_NAMES.index("jawOpen")] = jaw
    result = retimed(still_motion("toy", expression, ARKIT_NAMES, 30.0, 3), speed)
    closed = (lip_opening(result) < 0.01).nonzero()[:, 0] / 30
    expected = torch.arange(7, 290, 13) / 30 / speed
    assert (closed[None] - expected[:, None]).abs().amin(1).max() <= 0.51 / 30


@pytest.mark.parametrize("speed", [0.0, -1.0, 11.0, math.nan, math.inf])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(UsageError, match=r"it must be a number between 0.1 and 10"):
        retimed(lively(), speed)


def test_a_cut_puts_one_motion_after_the_other() -> None:
    first, second = lively(), lively_motion(make_toy_head(), 20, seed=5).replace(events=(Event("blink", 0.1, 0.3),))
    result = joined(first, second, 0.0)
    for name in ("expression", *POSES, "transl"):
        assert torch.equal(getattr(result, name), torch.cat([getattr(first, name), getattr(second, name)])), name
    word, blink = result.events
    assert word == first.events[0]
    assert (blink.kind, blink.start, blink.end) == ("blink", pytest.approx(2.1), pytest.approx(2.3))
    assert torch.equal(result.betas, first.betas)
    assert "speech" not in result.meta
    assert result.fit_error is None


def test_a_crossfade_leads_over_along_the_shortest_arc() -> None:
    def facing(angle: float, level: float) -> Motion:
        turn = torch.tensor([[0.0, angle, 0.0]]).repeat(30, 1)
        motion = still_motion("toy", torch.full((30, 52), level), ARKIT_NAMES, 30.0, 3)
        return motion.replace(global_orient=turn)

    result = joined(facing(3.0, 0.0), facing(-3.0, 1.0), 0.5)
    assert result.num_frames == 45
    level = result.channel("browInnerUp")
    assert (level.diff() >= 0).all()
    assert level.diff().max() < 0.12
    assert axis_angle_to_matrix(result.global_orient)[:, 2, 2].max() < -0.98
    torch.testing.assert_close(level + level.flip(0), torch.ones(45))


def test_another_frame_rate_is_resampled_and_another_head_refused() -> None:
    second = lively_motion(make_toy_head(), 50, fps=25)
    assert joined(lively(), second, 0.0).num_frames == 120
    with pytest.raises(FacetalkError, match="for the head 'flame' cannot be joined to one for 'toy'"):
        joined(lively(), still_motion("flame", torch.zeros(9, 1), ("exp000",), 30.0, 3))
    with pytest.raises(UsageError, match=r"a crossfade of 3 s is too long; at most 2.00 s fit here"):
        joined(lively(), second, 3.0)


def test_a_loop_ends_where_it_begins() -> None:
    time = torch.arange(90) / 30
    expression = (0.5 + 0.01 * time)[:, None].repeat(1, 52)  # a drift that would jump back by 0.03
    motion = still_motion("toy", expression, ARKIT_NAMES, 30.0, 3).replace(meta=SPEECH)
    result = looped(motion, 0.5)
    assert result.num_frames == 75
    around = torch.cat([result.expression[-1:], result.expression])[:, 0]
    assert around.diff().abs().max() < 0.005
    assert torch.equal(result.expression[15:], motion.expression[15:75])
    assert AudioPart.of(result.meta).end_s == pytest.approx(3.5)
    assert looped(motion, 0.0) is motion
    with pytest.raises(UsageError, match=r"at most 1.50 s fit here"):
        looped(motion, 2.0)


def test_a_fitted_motion_notes_that_its_frames_have_moved() -> None:
    fitted = lively(meta={"video": "a.mp4"}, camera=Camera(torch.eye(3), (64, 64)))
    assert trimmed(fitted, 0.5).meta["frames_moved"] is True
    assert "from" not in trimmed(fitted, 0.5).meta
    assert "frames_moved" not in trimmed(fitted, 0.0).meta


def test_nonsense_about_the_speech_is_an_error_of_one_line() -> None:
    broken = lively(meta={**SPEECH, "from": "then"})
    with pytest.raises(FacetalkError, match="does not say which part of its speech it shows: its from is 'then'"):
        trimmed(broken, 0.5)
