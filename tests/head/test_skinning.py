"""Skinning against a slow plain version."""

from __future__ import annotations

import math

import torch

from facetalk.core.rotations import axis_angle_to_matrix
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_PARENTS


def skinned_by_hand(
    rest: torch.Tensor, joints: torch.Tensor, pose: torch.Tensor, skin_weights: torch.Tensor
) -> torch.Tensor:
    """One frame: walk down the joints with 4x4 matrices, then blend them vertex by vertex."""
    world = []
    for joint, parent in enumerate(JOINT_PARENTS):
        here = torch.eye(4, dtype=rest.dtype)
        here[:3, :3] = axis_angle_to_matrix(pose[joint])
        here[:3, 3] = joints[joint] if parent < 0 else joints[joint] - joints[parent]
        world.append(here if parent < 0 else world[parent] @ here)
    moved = []
    for vertex, weights in zip(rest, skin_weights, strict=True):
        total = torch.zeros(3, dtype=rest.dtype)
        for joint, weight in enumerate(weights):
            total += weight * (world[joint][:3, :3] @ (vertex - joints[joint]) + world[joint][:3, 3])
        moved.append(total)
    return torch.stack(moved)


def test_skinning_agrees_with_a_written_out_loop(toy_head: HeadModel) -> None:
    head = HeadModel(toy_head.assets).double()
    generator = torch.Generator().manual_seed(3)
    poses = torch.randn(4, 5, 3, generator=generator, dtype=torch.float64)
    expression = torch.rand(4, len(head.shape.expression_names), generator=generator, dtype=torch.float64)
    betas = torch.randn(head.num_betas, generator=generator, dtype=torch.float64)
    transl = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    fast = head(expression, poses, transl, betas)
    template, joints = head.shaped(betas)
    for frame in range(4):
        rest = template + torch.einsum("e,evc->vc", expression[frame], head.expression_dirs)
        slow = skinned_by_hand(rest, joints, poses[frame], head.skin_weights) + transl[frame]
        torch.testing.assert_close(fast[frame], slow, rtol=1e-9, atol=1e-12)


def test_root_turns_the_whole_head_about_the_root_joint(toy_head: HeadModel) -> None:
    poses = torch.zeros(1, 5, 3)
    poses[0, 0, 1] = math.pi / 2
    still = torch.zeros(1, len(toy_head.shape.expression_names))
    turned = toy_head(still, poses, torch.zeros(1, 3), torch.zeros(toy_head.num_betas))[0]
    offset = toy_head.template - toy_head.joints[0]
    expected = torch.stack([offset[:, 2], offset[:, 1], -offset[:, 0]], 1) + toy_head.joints[0]
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-6)
