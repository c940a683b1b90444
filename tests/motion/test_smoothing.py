"""Smoothing takes away jitter, and leaves contacts and constants."""

from __future__ import annotations

import math

import pytest
import torch

from facetalk.core.errors import UsageError
from facetalk.core.motion import Motion, still_motion
from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from facetalk.head.channels import ARKIT_NAMES
from facetalk.motion.contacts import CLOSED_LIPS, lip_opening
from facetalk.motion.smoothing import smoothed
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion


def slow_average(rows: torch.Tensor, spread: float) -> torch.Tensor:
    """One frame after the other."""
    reach = math.ceil(3 * spread)
    weights = [math.exp(-(k**2) / (2 * spread**2)) for k in range(-reach, reach + 1)]
    result = []
    for frame in range(len(rows)):
        taken = [rows[min(max(frame + k, 0), len(rows) - 1)] for k in range(-reach, reach + 1)]
        result.append(sum(w * row for w, row in zip(weights, taken, strict=True)) / sum(weights))
    return torch.stack(result)


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_curves_are_averaged_with_normal_weights(fps: float) -> None:
    motion = lively_motion(make_toy_head(), 50, fps=fps)
    result = smoothed(motion, 1.5)
    expected = slow_average(motion.expression.double(), 1.5 * fps / 30)
    column = ARKIT_NAMES.index("browInnerUp")
    torch.testing.assert_close(result.expression[:, column].double(), expected[:, column], atol=1e-5, rtol=0)
    torch.testing.assert_close(result.transl.double(), slow_average(motion.transl.double(), 1.5 * fps / 30))


def test_nothing_that_stands_still_changes() -> None:
    motion = lively_motion(make_toy_head(), 1)
    still = motion.pick([0] * 20)
    result = smoothed(still, 3)
    torch.testing.assert_close(result.expression, still.expression)
    torch.testing.assert_close(result.poses, still.poses)
    assert smoothed(motion, 0) is motion


def test_rotations_are_averaged_across_a_half_turn() -> None:
    angles = torch.deg2rad(torch.tensor([170.0, 190, 170, 190, 170, 190]))
    turned = torch.stack([torch.zeros(6), angles, torch.zeros(6)], 1)
    shortest = matrix_to_axis_angle(axis_angle_to_matrix(turned))
    assert shortest[1, 1] < 0
    motion = still_motion("toy", torch.zeros(6, 52), ARKIT_NAMES, 30.0, 3).replace(global_orient=shortest)
    heading = axis_angle_to_matrix(smoothed(motion, 2).global_orient)
    backward = axis_angle_to_matrix(torch.tensor([0, math.pi, 0]))
    assert (torch.einsum("fij,ij->f", heading, backward) > 1 + 2 * math.cos(math.radians(10))).all()


def mumbling() -> Motion:
    expression = torch.zeros(300, 52)
    expression[:, ARKIT_NAMES.index("jawOpen")] = 0.5
    expression[7:290:9, ARKIT_NAMES.index("jawOpen")] = 0.0
    for blink in ("eyeBlinkLeft", "eyeBlinkRight"):
        expression[20:290:40, ARKIT_NAMES.index(blink)] = 1.0
    return still_motion("toy", expression, ARKIT_NAMES, 30.0, 3)


@pytest.mark.parametrize("frames", [1, 2, 10, 30])
def test_lips_and_lids_that_were_closed_stay_closed(frames: float) -> None:
    motion = mumbling()
    closed, shut = lip_opening(motion) <= CLOSED_LIPS, motion.channel("eyeBlinkLeft") > 0.7
    result = smoothed(motion, frames)
    assert lip_opening(result)[closed].max() <= 1e-5
    assert result.channel("eyeBlinkLeft")[shut].min() > 1 - 1e-5
    assert lip_opening(result)[~closed].std() < lip_opening(motion).std()


@pytest.mark.parametrize("frames", [-1, 31, math.nan])
def test_a_strength_out_of_range_is_refused(frames: float) -> None:
    with pytest.raises(UsageError, match="it must be between 0 and 30 frames"):
        smoothed(mumbling(), frames)
