"""Motions of anybody as those of one person."""

from __future__ import annotations

import torch

from facetalk.core.motion import still_motion
from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.contacts import lip_opening
from facetalk.neural_rendering.placement import habits_of, limited, placed, relative_turns, softly_limited, usual_turn
from tests.neural_rendering.people import head, person_motion

PERSON = person_motion(200)
HABITS = habits_of(PERSON, [])


def test_a_person_who_moves_as_usual_stays_where_they_are() -> None:
    middle = PERSON.cut(40, 60)
    again = placed(PERSON, HABITS)
    turns = relative_turns(PERSON, HABITS.rotation)
    within = ((turns > 0.7 * HABITS.turns[0]) & (turns < 0.7 * HABITS.turns[1])).all(1)
    torch.testing.assert_close(again.global_orient[within], PERSON.global_orient[within], atol=2e-3, rtol=0)
    torch.testing.assert_close(again.transl[within], PERSON.transl[within], atol=2e-3, rtol=0)
    assert int(within.sum()) > 30 and middle.num_frames == 20


def test_a_still_face_takes_the_usual_place_with_the_neck_in_its_turn() -> None:
    motion = still_motion("facetalk", torch.zeros(3, 52), ARKIT_NAMES, 25.0, head().num_betas)
    motion = motion.replace(neck_pose=torch.tensor([0.0, 0.03, 0.0]).repeat(3, 1))
    result = placed(motion, HABITS)
    whole = axis_angle_to_matrix(usual_turn(PERSON)) @ axis_angle_to_matrix(torch.tensor([0.0, 0.03, 0.0]))
    torch.testing.assert_close(result.global_orient[0], matrix_to_axis_angle(whole), atol=1e-5, rtol=0)
    assert not bool(result.neck_pose.any())
    assert float((result.transl - PERSON.transl.mean(0)).norm(dim=1).max()) < 0.01


def test_faces_and_turns_stay_within_what_the_videos_show() -> None:
    motion = still_motion("facetalk", torch.ones(2, 52), ARKIT_NAMES, 25.0, head().num_betas)
    result = placed(motion.replace(global_orient=torch.tensor([[0.0, 1.5, 0.0], [0.0, -1.5, 0.0]])), HABITS)
    assert float(result.channel("jawOpen").max()) <= float(PERSON.channel("jawOpen").max())
    assert not bool(result.channel("cheekPuff").any())
    turns = relative_turns(result, HABITS.rotation)
    assert bool((turns <= HABITS.turns[1] + 1e-4).all()) and bool((turns >= HABITS.turns[0] - 1e-4).all())


def test_lips_that_close_stay_closed_at_the_limits() -> None:
    motion = still_motion("facetalk", torch.zeros(1, 52), ARKIT_NAMES, 25.0, head().num_betas)
    columns = [ARKIT_NAMES.index(name) for name in ("jawOpen", "mouthClose")]
    motion.expression[:, columns] = 0.3  # the person never uses mouthClose
    assert float(lip_opening(limited(motion, HABITS))) <= float(lip_opening(motion)) + 1e-6


def test_limits_are_approached_without_a_jump() -> None:
    limits = torch.tensor([[-1.0], [2.0]])
    values = torch.linspace(-5, 5, 2001)[:, None]
    result = softly_limited(values, limits)
    steps = result.diff(dim=0) / 0.005
    assert bool((steps >= 0).all()) and float(steps.max()) < 1.001
    assert float(steps.diff(dim=0).abs().max()) < 0.02
    inner = (values > -0.25) & (values < 1.25)
    torch.testing.assert_close(result[inner], values[inner])
    assert float(result.min()) >= -1 and float(result.max()) <= 2
