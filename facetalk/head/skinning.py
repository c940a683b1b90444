"""Linear blend skinning."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix

JOINT_NAMES = ("root", "neck", "jaw", "left_eye", "right_eye")
"""FLAME's joints in FLAME's order."""

JOINT_PARENTS = (-1, 0, 1, 1, 1)


def joint_transforms(
    joints: Float[Tensor, "*frames joints 3"],
    poses: Float[Tensor, "frames joints 3"],
    parents: tuple[int, ...] = JOINT_PARENTS,
) -> tuple[Float[Tensor, "frames joints 3 3"], Float[Tensor, "frames joints 3"]]:
    """Rotation and translation that move a point at rest with each joint.

    Args:
        joints: rest positions, meters; one set for all frames or one per frame.
        poses: axis-angle of each joint relative to its parent, radians.
        parents: index of each joint's parent, -1 for the root; parents come first.
    """
    local = axis_angle_to_matrix(poses)
    joints = joints.expand(len(poses), -1, 3)
    rotations, places = [local[:, 0]], [joints[:, 0]]
    for joint in range(1, len(parents)):
        parent = parents[joint]
        rotations.append(rotations[parent] @ local[:, joint])
        step = rotations[parent] @ (joints[:, joint] - joints[:, parent])[..., None]
        places.append(places[parent] + step.squeeze(-1))
    rotation = torch.stack(rotations, 1)
    shift = torch.stack(places, 1) - (rotation @ joints[..., None]).squeeze(-1)
    return rotation, shift


def skin(
    rest: Float[Tensor, "frames vertices 3"],
    joints: Float[Tensor, "*frames joints 3"],
    poses: Float[Tensor, "frames joints 3"],
    skin_weights: Float[Tensor, "vertices joints"],
    parents: tuple[int, ...] = JOINT_PARENTS,
) -> Float[Tensor, "frames vertices 3"]:
    """Skin the vertices: apply the weighted rotations of the joints.

    Args:
        rest: shaped vertices before skinning, meters.
        joints: rest positions, meters; one set for all frames or one per frame.
        poses: axis-angle, radians.
        skin_weights: share of each joint in each vertex; rows sum to one.
        parents: see `joint_transforms`.
    """
    rotation, shift = joint_transforms(joints, poses, parents)
    blended = torch.einsum("vj,tjab->tvab", skin_weights, rotation)
    moved = torch.einsum("vj,tja->tva", skin_weights, shift)
    return (blended @ rest[..., None]).squeeze(-1) + moved


def pose_features(poses: Float[Tensor, "frames joints 3"], count: int) -> Float[Tensor, "frames count"]:
    """Features of the pose correctives: rotation matrices of the last joints minus the identity, by rows.

    Args:
        poses: axis-angle, radians.
        count: number of features, nine per joint.
    """
    matrices = axis_angle_to_matrix(poses[:, poses.shape[1] - count // 9 :])
    identity = torch.eye(3, dtype=poses.dtype, device=poses.device)
    return (matrices - identity).flatten(1)
