from __future__ import annotations

import math

import pytest
import torch
from jaxtyping import TypeCheckError

from facetalk.core.motion import Motion, still_motion
from facetalk.core.rotations import axis_angle_to_matrix


def ramp(num_frames: int = 31, fps: float = 30.0) -> Motion:
    expression = torch.linspace(0, 1, num_frames)[:, None]
    return still_motion("toy", expression, ("jawOpen",), fps, n_betas=2)


def test_expression_and_poses_must_have_the_same_frames() -> None:
    # Under the tests' shape checks the types object first; without them `__post_init__` does.
    with pytest.raises((ValueError, TypeCheckError), match="jaw_pose"):
        ramp().replace(jaw_pose=torch.zeros(4, 3))


def test_every_expression_column_needs_a_name() -> None:
    with pytest.raises(ValueError, match="2 names for 1 expression columns"):
        ramp().replace(expression_names=("jawOpen", "mouthClose"))


def test_another_frame_rate_shows_the_same_performance() -> None:
    slow = ramp().to_fps(15)
    assert slow.num_frames == 16
    torch.testing.assert_close(slow.channel("jawOpen"), torch.linspace(0, 1, 16))


def test_heads_turn_the_short_way_between_frames() -> None:
    yaw = torch.tensor([math.pi - 0.1, -math.pi + 0.1])
    motion = ramp(2).replace(global_orient=torch.stack([yaw * 0, yaw, yaw * 0], 1))
    between = motion.to_fps(60).global_orient[1]
    expected = axis_angle_to_matrix(torch.tensor([0.0, math.pi, 0.0]))
    torch.testing.assert_close(axis_angle_to_matrix(between), expected, atol=1e-5, rtol=0)


def test_cutting_takes_rows_of_everything() -> None:
    motion = ramp().replace(fit_error=torch.arange(31.0))
    part = motion.cut(10, 20)
    assert part.num_frames == 10
    torch.testing.assert_close(part.fit_error, torch.arange(10.0, 20.0))
