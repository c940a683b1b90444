"""A head's motion as animation programs know it: blend shapes with weights, and joints that turn and move.

The blend shapes are the expression channels, then the correctives of channels that act together, then the correctives
of joint rotations, whose weights are the entries of rotation matrices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float

from facetalk.core.motion import Motion
from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_quaternion, on_one_side
from facetalk.head.assets import HeadShape
from facetalk.head.correctives import blend_shape_dirs, blend_shape_names, blend_shape_weights
from facetalk.head.model import HeadModel
from facetalk.head.skinning import JOINT_NAMES, JOINT_PARENTS, joint_transforms, pose_features

_BLOCK = 4096
"""Frames that are computed together, so that intermediate values do not grow with the clip."""


def shape_names(shape: HeadShape) -> tuple[str, ...]:
    """Names of all blend shapes."""
    names = blend_shape_names(shape)
    if shape.pose_dirs is None:
        return names
    turning = JOINT_NAMES[len(JOINT_NAMES) - len(shape.pose_dirs) // 9 :]
    return (*names, *(f"{joint}_rotation_{row}{column}" for joint in turning for row in "xyz" for column in "xyz"))


def shape_dirs(shape: HeadShape) -> Iterator[Float[np.ndarray, "vertices 3"]]:
    """Displacements of all blend shapes at weight 1, meters."""
    yield from blend_shape_dirs(shape).numpy()
    if shape.pose_dirs is not None:
        yield from shape.pose_dirs.numpy()


def shape_weights(shape: HeadShape, motion: Motion) -> Float[np.ndarray, "frames n_shapes"]:
    """Weights of all blend shapes."""
    weights = np.empty((motion.num_frames, len(shape_names(shape))), np.float32)
    for start, part in motion.blocks(_BLOCK):
        rows = weights[start : start + _BLOCK]
        linear = blend_shape_weights(shape, part.expression).numpy()
        rows[:, : linear.shape[1]] = linear
        if shape.pose_dirs is not None:
            rows[:, linear.shape[1] :] = pose_features(part.poses, len(shape.pose_dirs)).numpy()
    return weights


def joint_rotations(motion: Motion) -> Float[np.ndarray, "frames 5 4"]:
    """Rotations relative to the parent as w, x, y, z, with signs that keep neighboring frames close."""
    parts = [part.poses for _, part in motion.blocks(_BLOCK)]
    quaternions = torch.cat([matrix_to_quaternion(axis_angle_to_matrix(part)) for part in parts]).numpy()
    return on_one_side(quaternions)


def joint_places(head: HeadModel, motion: Motion) -> Float[np.ndarray, "frames 5 3"]:
    """Positions relative to the parent, meters.

    A joint that follows the expression moves the skin around its new place, but not the skin itself. A program that
    binds the skin to the joints at rest gets the same from a joint that moves back by what its rotation would add.
    """
    _, joints = head.shaped(motion.betas)
    rest = joints - torch.stack([joints[max(parent, 0)] * (parent >= 0) for parent in JOINT_PARENTS])
    places = rest.expand(motion.num_frames, -1, -1).clone()
    if head.joint_expression_dirs is not None:
        moved = joints + torch.einsum("te,ejc->tjc", motion.expression, head.joint_expression_dirs)
        rotation, shift = joint_transforms(moved, motion.poses, JOINT_PARENTS)
        world = (rotation @ joints[..., None]).squeeze(-1) + shift
        for joint, parent in enumerate(JOINT_PARENTS):
            step = world[:, joint] - (world[:, parent] if parent >= 0 else 0)
            turned = rotation[:, parent].mT @ step[..., None] if parent >= 0 else step[..., None]
            places[:, joint] = turned.squeeze(-1)
    places[:, 0] += motion.transl
    return places.numpy()
