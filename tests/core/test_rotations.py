from __future__ import annotations

import math

import pytest
import torch

from facetalk.core.rotations import (
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    continuous_axis_angle,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    quaternion_to_axis_angle,
    skew,
    slerp,
)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_rodrigues_agrees_with_the_matrix_exponential() -> None:
    axis_angle = noise(20, 3)
    torch.testing.assert_close(axis_angle_to_matrix(axis_angle), torch.matrix_exp(skew(axis_angle)))


def test_no_turn_is_the_identity_and_its_gradient_is_finite() -> None:
    zero = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    matrix = axis_angle_to_matrix(zero)
    torch.testing.assert_close(matrix.detach(), torch.eye(3, dtype=torch.float64))
    matrix[0, 1].backward()
    torch.testing.assert_close(zero.grad, torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64))


@pytest.mark.parametrize("angle", [0.0, 1e-5, 0.3, 1.0, 2.5, math.pi - 1e-4])
def test_axis_angle_survives_the_way_through_a_matrix(angle: float) -> None:
    axes = torch.nn.functional.normalize(noise(50, 3, seed=1), dim=-1)
    axis_angle = axes * angle
    torch.testing.assert_close(matrix_to_axis_angle(axis_angle_to_matrix(axis_angle)), axis_angle, atol=1e-6, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_turns_have_unit_quaternions(axis: int) -> None:
    vector = torch.zeros(3, dtype=torch.float64)
    vector[axis] = math.pi
    quaternion = matrix_to_quaternion(axis_angle_to_matrix(vector))
    expected = torch.zeros(4, dtype=torch.float64)
    expected[axis + 1] = 1
    torch.testing.assert_close(quaternion.abs(), expected, atol=1e-9, rtol=0)


def test_turns_past_the_half_stay_continuous() -> None:
    steady = torch.linspace(0, 7, 200, dtype=torch.float64)[:, None] * torch.tensor([[0.0, 1.0, 0.0]])
    wrapped = matrix_to_axis_angle(axis_angle_to_matrix(steady))
    assert wrapped.diff(dim=0).abs().max() > 1
    torch.testing.assert_close(continuous_axis_angle(wrapped), steady, atol=1e-6, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, 3.1, 6.0])
def test_quaternions_turn_as_the_axis_angle_does(angle: float) -> None:
    axis = torch.tensor([[0.6, 0.0, -0.8]], dtype=torch.float64)
    back = quaternion_to_axis_angle(axis_angle_to_quaternion(angle * axis))
    torch.testing.assert_close(axis_angle_to_matrix(back), axis_angle_to_matrix(angle * axis), atol=1e-9, rtol=0)


def test_slerp_turns_at_constant_speed_by_the_shorter_way() -> None:
    blend = torch.linspace(0, 1, 11, dtype=torch.float64)
    for first, second in ((0.2, 1.4), (-2.8, 2.9), (0.5, 0.5), (0.0, 1e-7)):
        ends = [torch.tensor([[0.0, angle, 0.0]], dtype=torch.float64).expand(11, 3) for angle in (first, second)]
        for sign in (1, -1):  # the same rotations
            start, stop = (axis_angle_to_quaternion(end) for end in ends)
            between = quaternion_to_axis_angle(slerp(start, sign * stop, blend))
            way = (second - first + torch.pi) % (2 * torch.pi) - torch.pi
            expected = torch.stack([0 * blend, first + way * blend, 0 * blend], 1)
            torch.testing.assert_close(axis_angle_to_matrix(between), axis_angle_to_matrix(expected), atol=1e-9, rtol=0)


def test_slerp_gives_unit_quaternions() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.nn.functional.normalize(torch.randn(2, 100, 4, generator=generator), dim=2)
    between = slerp(first, second, torch.rand(100, generator=generator))
    torch.testing.assert_close(between.norm(dim=1), torch.ones(100))
