"""Rotations: axis-angle (radians), matrices and unit quaternions (w, x, y, z)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def skew(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrix of the cross product with `vector`."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, -1).reshape(*vector.shape[:-1], 3, 3)


def axis_angle_to_matrix(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix by Rodrigues' formula, smooth through zero."""
    square = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = square < 1e-8
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    # Taylor series near zero keep values and gradients finite.
    first = torch.where(small, 1 - square / 6, angle.sin() / angle)
    second = torch.where(small, 0.5 - square / 24, (1 - angle.cos()) / safe)
    cross = skew(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + first * cross + second * (cross @ cross)


def matrix_to_quaternion(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion (w, x, y, z) with w >= 0."""
    m = matrix
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # Four candidates, each exact where its leading component is large; take the largest.
    squares = torch.stack([1 + trace, 1 + 2 * xx - trace, 1 + 2 * yy - trace, 1 + 2 * zz - trace], -1)
    w_row = [squares[..., 0], m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]]
    x_row = [w_row[1], squares[..., 1], m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0]]
    y_row = [w_row[2], x_row[2], squares[..., 2], m[..., 2, 1] + m[..., 1, 2]]
    z_row = [w_row[3], x_row[3], y_row[3], squares[..., 3]]
    candidates = torch.stack([torch.stack(row, -1) for row in (w_row, x_row, y_row, z_row)], -2)
    best = squares.argmax(-1)[..., None, None].expand(*squares.shape[:-1], 1, 4)
    quaternion = torch.gather(candidates, -2, best).squeeze(-2)
    quaternion = quaternion / quaternion.norm(dim=-1, keepdim=True)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def quaternion_to_matrix(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of a unit quaternion (w, x, y, z)."""
    cross = skew(quaternion[..., 1:])
    identity = torch.eye(3, dtype=quaternion.dtype, device=quaternion.device)
    return identity + 2 * (quaternion[..., :1, None] * cross + cross @ cross)


def quaternion_product(
    first: Float[Tensor, "*batch 4"], second: Float[Tensor, "*batch 4"]
) -> Float[Tensor, "*batch 4"]:
    """The quaternion (w, x, y, z) of the rotation by `second` and then by `first`."""
    a, b = first[..., 1:], second[..., 1:]
    real = first[..., :1] * second[..., :1] - (a * b).sum(-1, keepdim=True)
    return torch.cat([real, first[..., :1] * b + second[..., :1] * a + torch.linalg.cross(a, b)], -1)


def quaternion_to_axis_angle(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3"]:
    """Axis times angle of the shorter rotation, radians."""
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    vector = quaternion[..., 1:]
    length = vector.norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(length, quaternion[..., :1])
    return torch.where(length < 1e-6, 2 * vector, vector * angle / length.clamp_min(1e-9))


def matrix_to_axis_angle(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis times angle in [0, pi], radians."""
    return quaternion_to_axis_angle(matrix_to_quaternion(matrix))


def axis_angle_to_quaternion(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion (w, x, y, z); opposite signs stand for the same rotation."""
    half = axis_angle.norm(dim=-1, keepdim=True) / 2
    # torch.sinc(x) is sin(pi x) / (pi x).
    return torch.cat([half.cos(), axis_angle / 2 * torch.sinc(half / torch.pi)], -1)


def yaw_pitch_roll(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Angles of `rotation = Ry(yaw) Rx(pitch) Rz(roll)`, radians."""
    yaw = torch.atan2(rotation[..., 0, 2], rotation[..., 2, 2])
    pitch = torch.asin((-rotation[..., 1, 2]).clamp(-1, 1))
    roll = torch.atan2(rotation[..., 1, 0], rotation[..., 1, 1])
    return torch.stack([yaw, pitch, roll], -1)


def from_yaw_pitch_roll(angles: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """`Ry(yaw) Rx(pitch) Rz(roll)`, of which `yaw_pitch_roll` gives the angles."""
    zero = torch.zeros_like(angles[..., 0])
    yaw, pitch, roll = angles.unbind(-1)
    axes = ([zero, yaw, zero], [pitch, zero, zero], [zero, zero, roll])
    about_y, about_x, about_z = (axis_angle_to_matrix(torch.stack(axis, -1)) for axis in axes)
    return about_y @ about_x @ about_z


def slerp(
    first: Float[Tensor, "*batch 4"], second: Float[Tensor, "*batch 4"], blend: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 4"]:
    """Rotate at constant speed along the shortest arc between two unit quaternions (Shoemake 1985).

    Args:
        first: result at blend 0.
        second: result at blend 1.
        blend: position in between.
    """
    second = torch.where((first * second).sum(-1, keepdim=True) < 0, -second, second)
    # atan2 is accurate for small angles, where acos of the dot product is not.
    angle = 2 * torch.atan2((first - second).norm(dim=-1), (first + second).norm(dim=-1))
    whole = torch.sinc(angle / torch.pi)
    shares = ((1 - blend), blend)
    weights = [(share * torch.sinc(share * angle / torch.pi) / whole)[..., None] for share in shares]
    return weights[0] * first + weights[1] * second


def on_one_side(quaternions: Float[np.ndarray, "frames *joints 4"]) -> Float[np.ndarray, "frames *joints 4"]:
    """The same rotations with signs that keep neighboring frames close."""
    stays = (quaternions[1:] * quaternions[:-1]).sum(-1) >= 0
    signs = np.concatenate([np.ones((1, *stays.shape[1:]), np.int8), np.where(stays, 1, -1).astype(np.int8)])
    return quaternions * np.cumprod(signs, 0, dtype=np.int8)[..., None].astype(np.float32)


def continuous_axis_angle(axis_angle: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3"]:
    """Rewrite rotations so that each angle is closest to that of the frame before."""
    rows = [axis_angle[0]]
    for row in axis_angle[1:]:
        angle = row.norm()
        if angle > 1e-6:
            axis = row / angle
            turns = torch.round(((rows[-1] * axis).sum() - angle) / (2 * torch.pi))
            row = axis * (angle + 2 * torch.pi * turns)
        rows.append(row)
    return torch.stack(rows)
