"""Augmented faces have the labels of what they show."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetalk.data.crops import KEPT_SCALE
from facetalk.data.faces import FaceExample
from facetalk.data.tracked_renderer import head_places
from facetalk.head.model import HeadModel
from facetalk.motion.face_scene import CropViews, FaceScene, in_crop
from facetalk.motion.heads import load_head
from facetalk.networks.face_encoder import FaceCode
from facetalk.recipes.parts.face_augmentation import labels_in_part, mirrored_code, mirrored_landmarks
from facetalk.rendering.harmonics import harmonics
from facetalk.vision.crop import FACE_SCALE
from facetalk.vision.crop_view import into_crop
from tests.recipes.toy_faces import K, video_clip


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head()


@pytest.fixture(scope="module")
def example(head: HeadModel) -> FaceExample:
    return video_clip(head)


@pytest.fixture(scope="module")
def scene(head: HeadModel) -> FaceScene:
    return FaceScene(head)


def code_of(example: FaceExample, head: HeadModel) -> FaceCode:
    """The code of an example, under no light."""
    turns, places = head_places(example, head, torch.arange(example.num_frames), FaceScene(head).center)
    rotation, camera = into_crop(turns, places, example.K, example.track.face_boxes)
    betas = example.betas.expand(example.num_frames, -1)
    light = torch.zeros(example.num_frames, 9, 3)
    return FaceCode(betas, example.expression, example.gaze, rotation, camera, light)


@pytest.mark.parametrize("seed", range(4))
def test_the_labels_of_a_part_are_those_of_a_new_box(head: HeadModel, example: FaceExample, seed: int) -> None:
    noise = torch.rand(3, generator=torch.Generator().manual_seed(seed))
    part, shift = 0.8 + 0.15 * noise[:1], 0.1 * (noise[1:] - 0.5)[None]
    turns, places = head_places(example, head, torch.tensor([3]), FaceScene(head).center)
    box = example.track.face_boxes[3:4]
    code = FaceCode.split(torch.zeros(1, 122), head.num_betas)
    code = replace(code, camera=into_crop(turns, places, K, box)[1])
    landmarks = in_crop(example.track.landmarks[3:4], box)
    moved, row = labels_in_part(landmarks, code.joined(), part, shift, head.num_betas)
    whole = box * torch.tensor([1, 1, KEPT_SCALE / FACE_SCALE])
    new = torch.cat([whole[:, :2] + shift * whole[:, 2:] / 2, part * whole[:, 2:]], 1)
    _, expected = into_crop(turns, places, K, new)
    torch.testing.assert_close(FaceCode.split(row, head.num_betas).camera, expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(moved, in_crop(example.track.landmarks[3:4], new))


def test_a_mirrored_code_shows_the_mirrored_landmarks(head: HeadModel, scene: FaceScene) -> None:
    example = video_clip(head, 6)
    code = code_of(example, head)
    generator = torch.Generator().manual_seed(0)
    code = replace(code, expression=0.5 * torch.rand(6, 52, generator=generator), betas=torch.zeros_like(code.betas))
    # A camera that looks at the middle of every crop: only then is the mirrored image an image of the same camera.
    views = CropViews(K, torch.tensor([[128.0, 128, 180]]).expand(6, 3))

    def shown(what: FaceCode) -> torch.Tensor:
        return scene.seen(scene.points(what, what.betas[0], views), views)

    torch.testing.assert_close(shown(mirrored_code(code)), mirrored_landmarks(shown(code)), atol=0.03, rtol=0)
    normal = torch.tensor([[0.5, 0.3, 0.8]])
    light = torch.randn(6, 9, 3, generator=generator)
    other = mirrored_code(replace(code, light=light)).light
    expected = harmonics(normal) @ light[0]
    torch.testing.assert_close(harmonics(normal * torch.tensor([-1.0, 1, 1])) @ other[0], expected)
