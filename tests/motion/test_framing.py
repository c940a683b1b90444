"""The camera in front keeps the head in the image, and leaves alone what stays there."""

from __future__ import annotations

import math

import pytest
import torch

from facetalk.core.motion import Motion, still_motion
from facetalk.head.model import HeadModel
from facetalk.motion.framing import framed
from facetalk.rendering.camera import project

SIZE = 100


def at_rest(head: HeadModel, num_frames: int = 120) -> Motion:
    names = head.shape.expression_names
    return still_motion(head.name, torch.zeros(num_frames, len(names)), names, 30.0, head.num_betas)


def seen(head: HeadModel, motion: Motion) -> torch.Tensor:
    """Pixels of the head's vertices in every frame, as the camera in front shows them."""
    shown, camera = framed(motion, head, SIZE)
    skin = torch.zeros(len(head.template), dtype=torch.bool)
    skin[head.points.regions["skin"]] = True
    skin[head.points.regions["neck"]] = False
    vertices = head(shown.expression, shown.poses, shown.transl, shown.betas)[:, skin]
    return project(vertices, camera)


def path(**axes: torch.Tensor) -> torch.Tensor:
    still = torch.zeros(120)
    return torch.stack([axes.get(axis, still) for axis in "xyz"], 1)


WALK = torch.linspace(-1, 1, 120)
MOVES = {
    "walks past": path(x=WALK),
    "stands up": path(y=0.6 * WALK),
    "comes from afar": path(z=torch.linspace(-3, -0.5, 120)),
    "is somewhere else after a cut": path(x=torch.where(WALK < 0, -0.7, 0.4), z=torch.where(WALK < 0, -2.0, -0.6)),
    "jumps about": path(x=0.5 * torch.sin(40 * WALK), y=0.4 * torch.cos(31 * WALK)),
    "is far away for a moment": path(x=torch.where(WALK.abs() < 0.05, 30.0, 0.0)),
}


@pytest.mark.parametrize("name", MOVES)
def test_a_head_that_moves_stays_in_the_image(toy_head: HeadModel, name: str) -> None:
    pixels = seen(toy_head, at_rest(toy_head).replace(transl=MOVES[name]))
    assert pixels.min() >= 0 and pixels.max() <= SIZE
    sizes = (pixels.amax(1) - pixels.amin(1)).amax(1)
    assert sizes.min() > 0.5 * SIZE
    assert sizes.max() / sizes.min() < 1.35


def test_a_head_that_sways_is_seen_by_a_fixed_camera(toy_head: HeadModel) -> None:
    motion = at_rest(toy_head).replace(transl=0.005 * path(x=torch.sin(9 * WALK), y=torch.cos(7 * WALK)))
    motion = motion.replace(neck_pose=0.05 * path(x=torch.sin(5 * WALK), y=torch.sin(3 * WALK)))
    assert framed(motion, toy_head, SIZE).motion is motion


def test_the_camera_is_the_same_wherever_a_still_head_was_fitted(toy_head: HeadModel) -> None:
    here, there = at_rest(toy_head), at_rest(toy_head).replace(transl=torch.full((120, 3), -0.8))
    torch.testing.assert_close(seen(toy_head, here), seen(toy_head, there), atol=0.01, rtol=0)


def test_the_camera_follows_without_jumps(toy_head: HeadModel) -> None:
    pixels = seen(toy_head, at_rest(toy_head).replace(transl=path(x=0.5 * torch.sin(math.pi * WALK))))
    middle = pixels.mean(1)
    assert middle.diff(dim=0).norm(dim=1).max() < 0.04 * SIZE


def test_a_single_frame_has_a_camera(toy_head: HeadModel) -> None:
    pixels = seen(toy_head, at_rest(toy_head, 1))
    assert pixels.min() > 0 and pixels.max() < SIZE
