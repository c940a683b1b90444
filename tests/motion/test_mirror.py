"""A mirror exchanges left and right, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facetalk.core.camera import Camera
from facetalk.core.errors import UsageError
from facetalk.core.motion import POSES, Motion, still_motion
from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.model import HeadModel
from facetalk.motion.mirror import mirrored_motion
from tests.conftest import make_toy_head
from tests.exporters.motions import lively_motion


@pytest.fixture
def motion() -> Motion:
    K = torch.tensor([[900.0, 0, 313.7], [0, 900, 240], [0, 0, 1]])
    return lively_motion(make_toy_head(), 12).replace(camera=Camera(K, (640, 480)))


def test_twice_mirrored_is_exactly_the_same(motion: Motion) -> None:
    twice = mirrored_motion(mirrored_motion(motion))
    for name in ("expression", *POSES, "transl", "betas"):
        assert torch.equal(getattr(twice, name), getattr(motion, name)), name
    assert twice.camera is not None
    assert motion.camera is not None
    assert torch.equal(twice.camera.K, motion.camera.K)
    assert torch.equal(twice.camera.world_to_camera, motion.camera.world_to_camera)


def test_sides_are_exchanged(motion: Motion) -> None:
    result = mirrored_motion(motion)
    assert torch.equal(result.channel("mouthSmileLeft"), motion.channel("mouthSmileRight"))
    assert torch.equal(result.channel("jawLeft"), motion.channel("jawRight"))
    assert torch.equal(result.channel("jawOpen"), motion.channel("jawOpen"))
    assert torch.equal(result.transl[:, 0], -motion.transl[:, 0])
    flip = torch.diag(torch.tensor([-1.0, 1, 1]))
    for name, source in (("neck_pose", "neck_pose"), ("leye_pose", "reye_pose"), ("reye_pose", "leye_pose")):
        expected = flip @ axis_angle_to_matrix(getattr(motion, source)) @ flip
        torch.testing.assert_close(axis_angle_to_matrix(getattr(result, name)), expected)


def test_a_symmetric_head_shows_the_mirror_image(motion: Motion) -> None:
    """On a head of two halves, the mirrored motion poses the mirrored vertices."""
    assets = make_toy_head()
    shape, flip = assets.shape, torch.tensor([-1.0, 1, 1])
    columns = [shape.expression_names.index(name) for name in mirror_names(shape.expression_names)]
    eyes = [0, 1, 2, 4, 3]
    symmetric = replace(
        shape,
        template=torch.cat([shape.template, shape.template * flip]),
        expression_dirs=torch.cat([shape.expression_dirs, shape.expression_dirs[columns] * flip], 1),
        identity_dirs=torch.cat([shape.identity_dirs, shape.identity_dirs * flip], 1),
        joints=(shape.joints + shape.joints[eyes] * flip) / 2,
        joint_identity_dirs=torch.zeros_like(shape.joint_identity_dirs),
        skin_weights=torch.cat([shape.skin_weights, shape.skin_weights[:, eyes]]),
    )
    head = HeadModel(replace(assets, shape=symmetric))
    images = [head(m.expression, m.poses, m.transl, m.betas) for m in (motion, mirrored_motion(motion))]
    left, right = images[0].chunk(2, 1)
    torch.testing.assert_close(images[1], torch.cat([right, left], 1) * flip, atol=1e-5, rtol=0)


def mirror_names(names: tuple[str, ...]) -> list[str]:
    sides = {"Left": "Right", "Right": "Left"}
    return [next((n[: -len(s)] + other for s, other in sides.items() if n.endswith(s)), n) for n in names]


def test_channels_without_a_known_mirror_image_are_refused(motion: Motion) -> None:
    with pytest.raises(UsageError, match="the channel 'exp000' of the head 'flame' has no known mirror image"):
        mirrored_motion(still_motion("flame", torch.zeros(3, 1), ("exp000",), 30.0, 3))
    with pytest.raises(UsageError, match="the channel 'mouthSmileLeft'"):
        mirrored_motion(still_motion("toy", torch.zeros(3, 1), ("mouthSmileLeft",), 30.0, 3))
