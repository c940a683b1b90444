import torch

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.channels import ARKIT_NAMES, GAZE_NAMES, indices
from facetalk.head.gaze import FULL_DOWN, channels_to_gaze, gaze_pose, gaze_to_channels


def channel(values: torch.Tensor, name: str) -> torch.Tensor:
    return values[:, GAZE_NAMES.index(name)]


def test_looking_to_the_subjects_left_moves_one_eye_out_and_the_other_in() -> None:
    pose = gaze_pose(torch.tensor([0.3]), torch.tensor([0.0]))
    forward = axis_angle_to_matrix(pose) @ torch.tensor([0.0, 0.0, 1.0])
    assert forward[0, 0] > 0.2
    weights = gaze_to_channels(pose, pose)
    assert channel(weights, "eyeLookOutLeft") > 0.4 and channel(weights, "eyeLookInRight") > 0.4
    assert channel(weights, "eyeLookInLeft") == 0 and channel(weights, "eyeLookOutRight") == 0


def test_looking_down_turns_the_eye_down() -> None:
    pose = gaze_pose(torch.tensor([0.0]), torch.tensor([FULL_DOWN]))
    forward = axis_angle_to_matrix(pose) @ torch.tensor([0.0, 0.0, 1.0])
    assert forward[0, 1] < -0.4
    weights = gaze_to_channels(pose, pose)
    assert torch.allclose(channel(weights, "eyeLookDownLeft"), torch.ones(1))
    assert channel(weights, "eyeLookUpLeft") == 0


def test_channels_and_eyeballs_are_inverse_within_range() -> None:
    generator = torch.Generator().manual_seed(0)
    yaw, pitch = (0.8 * torch.rand(2, 20, 2, generator=generator) - 0.4).unbind(0)
    left, right = gaze_pose(yaw[:, 0], pitch[:, 0]), gaze_pose(yaw[:, 1], pitch[:, 1])
    expression = torch.zeros(20, len(ARKIT_NAMES))
    expression[:, indices(GAZE_NAMES)] = gaze_to_channels(left, right)
    back = channels_to_gaze(expression)
    assert torch.allclose(back[0], left, atol=1e-6) and torch.allclose(back[1], right, atol=1e-6)


def test_weights_stay_in_bounds_beyond_the_range() -> None:
    far = gaze_pose(torch.tensor([2.0, -2.0]), torch.tensor([2.0, -2.0]))
    weights = gaze_to_channels(far, far)
    assert weights.min() >= 0 and weights.max() <= 1
