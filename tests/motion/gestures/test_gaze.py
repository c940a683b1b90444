"""Eyes stay, jump, come back, and look where they are told to."""

from __future__ import annotations

import math
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.motion.gestures.blinks import BlinkConfig, sample_blinks
from facetalk.motion.gestures.gaze import (
    EYE_DISTANCE,
    EYE_LIMITS,
    Fixation,
    Gaze,
    evoked_blinks,
    eye_poses,
    glances,
    head_turns,
    sample_fixations,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def straight_ahead(poses: torch.Tensor) -> torch.Tensor:
    return axis_angle_to_matrix(poses)[:, :, 2]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.77, 1.0])
def test_the_eyes_are_on_the_target_for_their_share_of_the_time(share: float) -> None:
    spent = {True: 0.0, False: 0.0}
    for seed in range(12):
        for fixation, following in pairwise(sample_fixations(600.0, seeded(seed), share)):
            spent[fixation.contact] += following.start_s - fixation.start_s
    assert spent[True] / (spent[True] + spent[False]) == pytest.approx(share, abs=0.04)


def test_fixations_last_at_least_a_fifth_of_a_second_or_until_the_look_ends() -> None:
    found = sample_fixations(300.0, seeded())
    lengths = torch.tensor([b.start_s - a.start_s for a, b in pairwise(found) if a.contact == b.contact])
    assert lengths.min() >= 0.2 - 1e-9
    away = [fixation for fixation in found if not fixation.contact]
    assert max(abs(fixation.yaw) for fixation in away) <= 20
    assert all(-10 <= fixation.pitch <= 14 for fixation in away)


def test_fewer_seconds_have_the_first_fixations_of_more() -> None:
    long = sample_fixations(120.0, seeded(4))
    short = sample_fixations(20.0, seeded(4))
    assert short == long[: len(short)]
    assert torch.equal(glances(600, short), glances(3600, long)[:600])


def test_large_saccades_come_with_blinks_and_small_ones_do_not() -> None:
    looks = [Fixation(0.5 * index, yaw, 0.0, False) for index, yaw in enumerate((0.0, 9.0, -12.5, 15.0, 16.0))]
    chances = evoked_blinks(75, looks)
    assert chances.nonzero()[:, 0].tolist() == [30, 45]  # of 21.5 and 27.5 degrees
    assert chances[[30, 45]].tolist() == pytest.approx([0.97 * 0.5, 0.97 * 17.5 / 23])
    assert evoked_blinks(75, looks, amount=0.4).count_nonzero() == 1
    evoked = torch.zeros(3000)
    evoked[::100] = 0.97
    blinks = sample_blinks(3000, seeded(), BlinkConfig(rate=1e-6), evoked=evoked)
    assert 27 <= len(blinks) <= 30
    assert all(evoked[blink.peak - math.ceil(4 * blink.length)] > 0 for blink in blinks)


def test_a_saccade_is_on_the_main_sequence_and_the_eyes_are_still_around_it() -> None:
    rows = glances(30, [Fixation(0.0, 0.0, 0.0, True), Fixation(0.5, 20.0, 0.0, False)]).rad2deg()
    assert rows[:16].abs().max() == 0
    # 0.021 s + 0.0022 s for each of the 20 degrees: less than two frames.
    torch.testing.assert_close(rows[17:, 0], torch.full((13,), 20.0))
    assert 0 < rows[16, 0] < 20


def test_both_eyes_meet_on_the_target_whichever_way_the_head_is_turned() -> None:
    targets = torch.tensor([[0.1, 0.05, 0.8], [0.0, 0.0, 1.4], [-0.2, -0.1, 1.0]])
    turns = torch.tensor([[0.1, 0.2, 0.0], [0.0, 0.0, 0.1], [-0.1, -0.15, 0.05]])
    heads = axis_angle_to_matrix(turns)
    for pose, side in zip(eye_poses(targets, torch.zeros(3, 2), turns), (1, -1), strict=True):
        looks = torch.einsum("tij,tj->ti", heads, straight_ahead(pose))
        eye = heads[:, :, 0] * side * EYE_DISTANCE / 2
        wanted = torch.nn.functional.normalize(targets - eye, dim=1)
        assert torch.rad2deg(torch.acos((looks * wanted).sum(1).clamp(-1, 1))).max() < 0.7
        assert (pose[:, 2] == 0).all()


def test_eyes_never_cross_or_roll() -> None:
    targets = torch.tensor([[0.0, 0.0, 0.1], [3.0, 0.0, 0.2], [0.0, 5.0, 0.1], [0.0, -5.0, 0.1]])
    left, right = eye_poses(targets, torch.zeros(4, 2), torch.zeros(4, 3))
    assert torch.rad2deg(right[:, 1] - left[:, 1]).max() < 15
    for pose in (left, right):
        # Both eyes turn in from the limit by half of the angle in which they meet.
        assert torch.rad2deg(pose.norm(dim=1)).max() < math.hypot(EYE_LIMITS[0] + 7.5, EYE_LIMITS[1])


def test_looks_far_aside_stay_on_their_side() -> None:
    targets, away = torch.tensor([[0.0, 0.0, 1.4]]).expand(2, 3), torch.tensor([[3.5, 3.0], [-1e9, -1e9]])
    for pose in eye_poses(targets, away, torch.zeros(2, 3)):
        assert pose[0, 1] > 0.3 and pose[0, 0] > 0.3
        assert pose[1, 1] < -0.3 and pose[1, 0] < -0.3


def test_the_head_takes_its_share_and_arrives_after_the_eyes() -> None:
    ahead, aside = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[1.0, 0.0, 1.0]])
    track = torch.cat([ahead.expand(10, 3), aside.expand(80, 3)])
    turns = head_turns(track).rad2deg()
    assert turns[:10].abs().max() == 0
    assert (turns[10:, 0].diff() >= -1e-4).all()
    assert float(turns[-1, 0]) == pytest.approx(27, abs=0.2)  # 60 % of 45 degrees
    assert 8 < float(turns[20, 0]) < 25
    torch.testing.assert_close(head_turns(aside).rad2deg(), torch.tensor([[27.0, 0.0]]))
    assert torch.equal(head_turns(track[:30]), head_turns(track)[:30])


def test_impossible_gaze_is_refused() -> None:
    with pytest.raises(UsageError, match="between 0 and 10"):
        Gaze(amount=-1)
    with pytest.raises(UsageError, match="between 0 and 1"):
        Gaze(eye_contact=1.5)


def test_a_target_is_a_tensor_with_rows() -> None:
    for target in ((0.4, 0.0, 1.0), torch.zeros(3)):
        with pytest.raises(UsageError, match="the target of a gaze is"):
            Gaze.__post_init__(SimpleNamespace(amount=1.0, eye_contact=0.5, target=target))  # type: ignore[arg-type]
