from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetalk.head.model import HeadModel
from facetalk.motion.face_scene import CropViews, FaceScene, in_crop
from facetalk.motion.heads import load_head
from facetalk.motion.landmark_head import detected_points, landmark_head
from facetalk.networks.face_encoder import FaceCode


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def scene(head: HeadModel) -> FaceScene:
    return FaceScene(head)


VIEWS = CropViews(
    torch.tensor([[600.0, 0, 128], [0, 600.0, 128], [0, 0, 1]]), torch.tensor([[130.0, 120.0, 160.0]]).repeat(2, 1)
)


def some_code(head: HeadModel) -> FaceCode:
    generator = torch.Generator().manual_seed(0)
    light = torch.zeros(2, 9, 3)
    light[:, 0], light[:, 3] = 3.0, 0.5
    return FaceCode(
        betas=torch.zeros(2, head.num_betas),
        expression=0.3 * torch.rand(2, 52, generator=generator),
        gaze=torch.zeros(2, 4),
        rotation=torch.tensor([[0.1, 0.2, -0.05], [0.0, -0.1, 0.0]]),
        camera=torch.tensor([[9.0, 0.05, 0.1], [9.0, 0.0, 0.0]]),
        light=light,
    )


def test_the_heads_middle_is_seen_where_the_camera_says(head: HeadModel, scene: FaceScene) -> None:
    code = replace(some_code(head), expression=torch.zeros(2, 52))
    points = detected_points(head.assets).on(scene.vertices(code, torch.zeros(head.num_betas), VIEWS))
    seen = scene.seen(points.mean(1, keepdim=True), VIEWS)[:, 0]
    torch.testing.assert_close(seen, code.camera[:, 1:], atol=1e-4, rtol=1e-4)


def test_landmarks_alone_move_like_those_of_the_mesh(head: HeadModel) -> None:
    plain = HeadModel(replace(head.assets, points=replace(head.points, detector_bias=None)))
    scene, code, betas = FaceScene(plain), some_code(head), torch.zeros(head.num_betas)
    whole = scene.landmarks(scene.vertices(code, betas, VIEWS), VIEWS)
    torch.testing.assert_close(scene.seen(scene.points(code, betas, VIEWS), VIEWS), whole, atol=1e-3, rtol=1e-3)
    assert len(landmark_head(plain).template) == 68


def test_landmarks_lie_where_the_detector_misreads_them(head: HeadModel) -> None:
    assert head.points.detector_bias is not None
    bias = head.points.detector_bias.clone()
    bias[:] = 0
    bias[0, :, 1] = 0.01
    shifted = FaceScene(HeadModel(replace(head.assets, points=replace(head.points, detector_bias=bias))))
    true = FaceScene(HeadModel(replace(head.assets, points=replace(head.points, detector_bias=None))))
    code, betas = replace(some_code(head), rotation=torch.zeros(2, 3)), torch.zeros(head.num_betas)
    moved = shifted.points(code, betas, VIEWS) - true.points(code, betas, VIEWS)
    assert (moved.norm(dim=-1) - 0.01).abs().max() < 1e-4


def test_anchoring_finds_a_camera_that_was_lost(head: HeadModel, scene: FaceScene) -> None:
    code, betas = some_code(head), torch.zeros(head.num_betas)
    seen = scene.seen(scene.points(code, betas, VIEWS), VIEWS)
    lost = replace(code, camera=code.camera * torch.tensor([0.8, 1.0, 1.0]) + torch.tensor([0.0, 0.2, -0.1]))
    found = scene.anchored(lost, betas, VIEWS, seen)
    torch.testing.assert_close(found.camera, code.camera, atol=0.02, rtol=0.005)


def test_pictures_carry_gradients_to_the_expression(head: HeadModel, scene: FaceScene) -> None:
    code = some_code(head)
    expression = code.expression.clone().requires_grad_()
    vertices = scene.vertices(replace(code, expression=expression), torch.zeros(head.num_betas), VIEWS)
    normals = scene.normals(vertices)
    mouths = scene.mouths(vertices, normals, code.light, VIEWS)
    faces = scene.portraits(vertices, normals, code.light, VIEWS)
    assert mouths.shape == (2, 88, 88) and faces.shape == (2, 3, 112, 112)
    assert mouths.detach().amin() > -0.2 and (mouths > 0.05).float().mean() > 0.9
    (mouths.sum() + faces.sum()).backward()
    assert expression.grad is not None and (expression.grad[:, 17].abs() > 1e-3).all()


def test_points_in_a_crop_run_from_minus_one_to_one() -> None:
    corners = torch.tensor([[[50.0, 40.0], [210.0, 200.0], [130.0, 120.0]]])
    expected = torch.tensor([[[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]])
    torch.testing.assert_close(in_crop(corners, VIEWS.boxes[:1]), expected)
