from __future__ import annotations

import numpy as np
import pytest
import torch

from facetalk.vision.crop import cut, face_boxes, fill_gaps, mouth_boxes, running_mean, to_gray
from facetalk.vision.crop_view import crop_intrinsics, into_crop, looking_at, out_of_crop
from tests.vision.faces import moving_landmarks


def test_a_box_around_the_whole_image_returns_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(cut(image, np.array([20.0, 20.0, 40.0]), 40), image)


def test_outside_the_image_is_black() -> None:
    image = np.full((40, 60, 3), 200, np.uint8)
    part = cut(image, np.array([0.0, 20.0, 40.0]), 20)
    assert part[:, :8].max() == 0 and part[5:15, 12:].min() == 200
    assert cut(image, np.array([-500.0, 20.0, 40.0]), 20).max() == 0


@pytest.mark.parametrize("shift", [0.25, 0.5])
def test_a_box_may_lie_between_pixels(shift: float) -> None:
    ramp = np.repeat(np.arange(40, dtype=np.uint8)[None, :, None] * 4, 40, 0).repeat(3, 2)
    part = cut(ramp, np.array([20.0 + shift, 20.0, 20.0]), 20).astype(float)
    whole = cut(ramp, np.array([20.0, 20.0, 20.0]), 20).astype(float)
    assert abs((part - whole).mean() - 4 * shift) < 0.6


def test_gaps_are_interpolated_linearly_and_ends_are_held() -> None:
    rows = np.array([[np.nan], [1.0], [np.nan], [3.0], [np.nan]])[:, :, None].repeat(2, 2)
    np.testing.assert_allclose(fill_gaps(rows)[:, 0, 0], [1, 1, 2, 3, 3])


@pytest.mark.parametrize("num_frames", [1, 3, 20])
def test_the_running_mean_agrees_with_a_plain_loop(num_frames: int) -> None:
    rows = np.random.default_rng(1).normal(size=(num_frames, 2))
    expected = [rows[max(0, t - 6) : t + 7].mean(0) for t in range(num_frames)]
    np.testing.assert_allclose(running_mean(rows, 6), expected)


def test_face_boxes_have_the_documented_size() -> None:
    landmarks = moving_landmarks(1)
    low, high = landmarks[0].min(0), landmarks[0].max(0)
    np.testing.assert_allclose(face_boxes(landmarks)[0], [*(low + high) / 2, 1.6 * (high - low).mean()], rtol=1e-5)


def test_the_mouth_box_follows_the_head_but_not_the_lips() -> None:
    still, moved = moving_landmarks(30), moving_landmarks(30)
    moved[15, 48:, 1] += 6.0
    shifts = mouth_boxes(moved, face_boxes(moved)) - mouth_boxes(still, face_boxes(still))
    assert np.abs(shifts[15, 1]).max() < 2.5
    away = still + np.where(np.arange(30) >= 15, 20.0, 0.0)[:, None, None]
    boxes = mouth_boxes(away.astype(np.float32), face_boxes(still))
    np.testing.assert_allclose(boxes[15, :2] - boxes[14, :2], [20.0, 20.0], atol=1e-3)


def test_gray_is_luma() -> None:
    assert to_gray(np.full((2, 2, 3), (255, 0, 0), np.uint8))[0, 0] == 76


K = torch.tensor([[500.0, 0, 160], [0, 500.0, 120], [0, 0, 1]])


def test_intrinsics_of_a_crop_project_where_the_crop_shows_the_pixel() -> None:
    boxes = torch.tensor([[200.0, 90.0, 64.0]])
    point = torch.tensor([0.04, 0.05, -0.8])
    u, v = 160 + 500 * 0.04 / 0.8, 120 - 500 * 0.05 / 0.8
    lens = crop_intrinsics(K, boxes, 112)[0]
    column = lens[0, 2] + lens[0, 0] * point[0] / 0.8
    row = lens[1, 2] - lens[1, 1] * point[1] / 0.8
    torch.testing.assert_close(column, torch.tensor((u - 168) * 112 / 64))
    torch.testing.assert_close(row, torch.tensor((v - 58) * 112 / 64))


def test_looking_at_a_box_rotates_the_axis_to_its_center() -> None:
    boxes = torch.tensor([[260.0, 30.0, 50.0], [160.0, 120.0, 50.0]])
    axis = looking_at(K, boxes) @ torch.tensor([0.0, 0.0, -1.0])
    wanted = torch.nn.functional.normalize(torch.tensor([[0.2, 0.18, -1.0], [0.0, 0.0, -1.0]]), dim=1)
    torch.testing.assert_close(axis, wanted)


def test_a_pose_comes_back_out_of_its_crop() -> None:
    generator = torch.Generator().manual_seed(0)
    turns = torch.linalg.matrix_exp(torch.stack([a - a.T for a in 0.3 * torch.randn(5, 3, 3, generator=generator)]))
    positions = torch.randn(5, 3, generator=generator) * 0.1 + torch.tensor([0.0, 0.0, -0.9])
    boxes = torch.rand(5, 3, generator=generator) * 100 + torch.tensor([100.0, 60.0, 80.0])
    rotation, camera = into_crop(turns, positions, K, boxes)
    back, where = out_of_crop(rotation, camera, K, boxes)
    torch.testing.assert_close(back, turns, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(where, positions, atol=1e-4, rtol=1e-4)
