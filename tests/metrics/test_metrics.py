"""Every metric beside a slow version written out in loops, and beside hand-made cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.metrics.landmarks import align, landmark_distance
from facetalk.metrics.upper_face import dynamics_difference_mm2, dynamics_mm2
from facetalk.metrics.vertices import largest_error_mm, mean_error_mm

LIPS = torch.tensor([1, 4, 6])


@pytest.fixture
def meshes() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    template = torch.randn(10, 3, generator=generator) * 0.1
    predicted, reference = (template + torch.randn(7, 10, 3, generator=generator) * 0.004 for _ in range(2))
    return predicted, reference, template


def test_lip_error_is_the_worst_lip_vertex_of_each_frame(meshes: tuple[Tensor, Tensor, Tensor]) -> None:
    predicted, reference, _ = meshes
    plain, squared = [], []
    for frame in range(7):
        worst = 0.0
        for vertex in LIPS.tolist():
            gap = [(predicted[frame, vertex, axis] - reference[frame, vertex, axis]).item() for axis in range(3)]
            worst = max(worst, math.sqrt(sum(g * g for g in gap)))
        plain.append(1000 * worst)
        squared.append(1e6 * worst**2)
    torch.testing.assert_close(largest_error_mm(predicted, reference, LIPS), torch.tensor(plain))
    torch.testing.assert_close(largest_error_mm(predicted, reference, LIPS).square(), torch.tensor(squared))


def test_a_shift_of_one_vertex_by_two_millimetres_is_two() -> None:
    reference = torch.zeros(3, 10, 3)
    predicted = reference.clone()
    predicted[1, 4, 0] = 0.002
    torch.testing.assert_close(largest_error_mm(predicted, reference, LIPS), torch.tensor([0.0, 2.0, 0.0]))
    torch.testing.assert_close(largest_error_mm(predicted, reference, LIPS).square(), torch.tensor([0.0, 4.0, 0.0]))
    torch.testing.assert_close(mean_error_mm(predicted, reference), torch.tensor([0.0, 0.2, 0.0]))
    predicted[1, 5, 0] = 1.0  # not a lip vertex
    torch.testing.assert_close(largest_error_mm(predicted, reference, LIPS), torch.tensor([0.0, 2.0, 0.0]))


def test_mean_error_is_the_mean_over_all_vertices(meshes: tuple[Tensor, Tensor, Tensor]) -> None:
    predicted, reference, _ = meshes
    slow = [
        sum(1000 * math.dist(predicted[frame, v].tolist(), reference[frame, v].tolist()) for v in range(10)) / 10
        for frame in range(7)
    ]
    torch.testing.assert_close(mean_error_mm(predicted, reference), torch.tensor(slow))


def test_dynamics_are_the_spread_of_squared_displacements(meshes: tuple[Tensor, Tensor, Tensor]) -> None:
    predicted, reference, template = meshes
    upper = torch.tensor([0, 2, 9])

    def slow(vertices: Tensor) -> float:
        spreads = []
        for vertex in upper.tolist():
            squares = [1e6 * math.dist(frame[vertex].tolist(), template[vertex].tolist()) ** 2 for frame in vertices]
            spreads.append(float(np.std(squares)))
        return float(np.mean(spreads))

    assert dynamics_mm2(predicted, template, upper).item() == pytest.approx(slow(predicted), rel=1e-4)
    difference = dynamics_difference_mm2(predicted, reference, template, upper).item()
    assert difference == pytest.approx(slow(reference) - slow(predicted), rel=1e-3)
    still = template.expand(7, 10, 3)
    assert dynamics_difference_mm2(still, reference, template, upper).item() == pytest.approx(slow(reference), rel=1e-4)


def turned(points: Tensor) -> Tensor:
    rotation = axis_angle_to_matrix(torch.tensor([0.3, -0.7, 0.4]))
    return 1.7 * points @ rotation.T + torch.tensor([0.1, 0.2, -0.6])


def test_landmarks_do_not_care_about_pose_and_size() -> None:
    reference = torch.randn(4, 68, 3, generator=torch.Generator().manual_seed(1)) * 0.05
    torch.testing.assert_close(align(turned(reference), reference), reference, atol=1e-5, rtol=0)
    assert landmark_distance(turned(reference), reference, tuple(range(68))).max() < 1e-5


def test_alignment_is_the_best_there_is() -> None:
    """No small turn, shift or scaling after the alignment brings the points closer."""
    generator = torch.Generator().manual_seed(2)
    source, target = (torch.randn(1, 68, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    aligned = align(source, target)
    best = (aligned - target).square().sum()
    for _ in range(50):
        nudge = 1e-3 * torch.randn(7, generator=generator, dtype=torch.float64)
        moved = (1 + nudge[0]) * aligned @ axis_angle_to_matrix(nudge[1:4]).T + nudge[4:7]
        assert (moved - target).square().sum() > best


def test_alignment_never_mirrors() -> None:
    source = torch.randn(3, 68, 3, generator=torch.Generator().manual_seed(3))
    mirrored = source * torch.tensor([-1.0, 1.0, 1.0])
    assert (align(mirrored, source) - source).norm(dim=-1).mean() > 0.3


def test_landmark_distance_judges_only_the_points_asked_for() -> None:
    reference = torch.randn(2, 68, 3, generator=torch.Generator().manual_seed(4)) * 0.05
    predicted = reference.clone()
    predicted[:, 60] += 0.01
    mouth = 1000 * landmark_distance(predicted, reference, (60,))
    rest = 1000 * landmark_distance(predicted, reference, tuple(range(48)))
    assert mouth.mean() > 9 and rest.mean() < 0.5
