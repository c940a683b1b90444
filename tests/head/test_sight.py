"""Where a face looks, seen from its viewer."""

from __future__ import annotations

import math

import pytest
import torch

from facetalk.core.camera import Camera
from facetalk.core.motion import Motion, still_motion
from facetalk.core.rotations import from_yaw_pitch_roll, matrix_to_axis_angle
from facetalk.head.channels import ARKIT_NAMES
from facetalk.head.model import HeadModel
from facetalk.head.sight import sight_angles
from facetalk.motion.gestures.gaze import VIEWER_M, Gaze
from facetalk.motion.gestures.registry import add_gestures
from facetalk.motion.heads import load_head


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head("facetalk")


def resting(head: HeadModel, frames: int = 5) -> Motion:
    return still_motion("facetalk", torch.zeros(frames, 52), ARKIT_NAMES, 30.0, head.num_betas)


def turn(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor([[yaw, pitch, roll]]))
    return matrix_to_axis_angle(from_yaw_pitch_roll(angles)).expand(5, 3)


def test_a_face_at_rest_looks_at_the_viewer_and_eyes_and_neck_add_up(head: HeadModel) -> None:
    motion = resting(head)
    torch.testing.assert_close(sight_angles(head, motion, 1.4), torch.zeros(5, 2), atol=1e-3, rtol=0)
    aside = motion.replace(leye_pose=turn(10), reye_pose=turn(14))
    torch.testing.assert_close(sight_angles(head, aside, 1.4)[:, 0], torch.full((5,), 12.0), atol=0.01, rtol=0)
    down = motion.replace(leye_pose=turn(0, 9), reye_pose=turn(0, 9))
    torch.testing.assert_close(sight_angles(head, down, 1.4)[:, 1], torch.full((5,), 9.0), atol=0.01, rtol=0)
    # Eyes that turn back while the head turns still look ahead; the eyes themselves move a few centimeters.
    countered = motion.replace(neck_pose=turn(20), leye_pose=turn(-20), reye_pose=turn(-20))
    assert sight_angles(head, countered, 100.0).abs().max() < 0.05


def test_the_viewer_of_a_fitted_motion_is_its_camera(head: HeadModel) -> None:
    camera = Camera(torch.eye(3), (64, 64))
    eyes = head.joints[3:5].mean(0)
    away = torch.tensor([0.3, 0.0, -1.0]) - eyes
    motion = resting(head).replace(transl=away.expand(5, 3), camera=camera)
    toward = -math.degrees(math.atan2(0.3, 1.0))
    torch.testing.assert_close(sight_angles(head, motion, 1.4)[:, 0], torch.full((5,), -toward), atol=0.01, rtol=0)
    looking = motion.replace(global_orient=turn(toward))
    assert sight_angles(head, looking, 1.4).abs().max() < 3.5  # the eyes turn around the neck with the head


def test_gestures_look_where_they_are_told_to(head: HeadModel) -> None:
    moving = add_gestures(
        resting(head, 300), seed=2, gestures=("idle",), gaze=Gaze(0.0, target=torch.tensor([[0.0, 0.0, VIEWER_M]]))
    )
    assert sight_angles(head, moving, VIEWER_M).norm(dim=1).max() < 2.5
