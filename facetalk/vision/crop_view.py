"""A head in the camera of a crop, and the same head in the camera of the video.

A network that sees only a crop cannot know where in the image it was cut. So it predicts the head in a camera that
looks straight at the center of the crop, with positions and sizes in units of the crop; the box converts to meters.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle


def crop_intrinsics(
    K: Float[Tensor, "3 3"], boxes: Float[Tensor, "frames 3"], size: int
) -> Float[Tensor, "frames 3 3"]:
    """Intrinsics of the video's camera in the pixels of each crop.

    Args:
        K: intrinsics of the video, pixels.
        boxes: center and side of the crop in the video, pixels.
        size: side of the resized crop, pixels.
    """
    scale = size / boxes[:, 2]
    lens = K.to(boxes) * torch.stack([scale, scale, torch.ones_like(scale)], 1)[..., None]
    shift = torch.zeros_like(lens)
    shift[:, :2, 2] = (boxes[:, 2:] / 2 - boxes[:, :2]) * scale[:, None]
    return lens + shift


def looking_at(K: Float[Tensor, "3 3"], boxes: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3 3"]:
    """Rotation from a camera that looks straight ahead to one that looks at the center of each box."""
    x = (boxes[:, 0] - K[0, 2]) / K[0, 0]
    y = -(boxes[:, 1] - K[1, 2]) / K[1, 1]
    across = torch.stack([y, -x, torch.zeros_like(x)], 1)
    length = across.norm(dim=1, keepdim=True).clamp_min(1e-9)
    return axis_angle_to_matrix(across / length * torch.atan(length))


def into_crop(
    turns: Float[Tensor, "frames 3 3"],
    positions: Float[Tensor, "frames 3"],
    K: Float[Tensor, "3 3"],
    boxes: Float[Tensor, "frames 3"],
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames 3"]]:
    """Rotation (axis-angle) and camera (s, x, y) of a head in its crop; `out_of_crop` is the inverse.

    `s` is the length of a meter at the head in half crops; x and y are the position of its center, -1 to 1, y down.

    Args:
        turns: rotation of the head in the camera's coordinate frame.
        positions: center of the head in the camera's coordinate frame, meters.
        K: intrinsics of the video.
        boxes: of the crops, pixels of the video.
    """
    seen = matrix_to_axis_angle(looking_at(K, boxes).transpose(1, 2) @ turns)
    distance, half = -positions[:, 2], boxes[:, 2] / 2
    u = K[0, 2] + K[0, 0] * positions[:, 0] / distance
    v = K[1, 2] - K[1, 1] * positions[:, 1] / distance
    return seen, torch.stack([K[0, 0] / distance / half, (u - boxes[:, 0]) / half, (v - boxes[:, 1]) / half], 1)


def out_of_crop(
    rotation: Float[Tensor, "frames 3"],
    camera: Float[Tensor, "frames 3"],
    K: Float[Tensor, "3 3"],
    boxes: Float[Tensor, "frames 3"],
) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3"]]:
    """Rotation matrix and center (meters) of a head in the camera of the video; see `into_crop`."""
    turns = looking_at(K, boxes) @ axis_angle_to_matrix(rotation)
    half = boxes[:, 2] / 2
    distance = K[0, 0] / (camera[:, 0].clamp_min(1e-3) * half)
    u, v = boxes[:, 0] + camera[:, 1] * half, boxes[:, 1] + camera[:, 2] * half
    x, y = (u - K[0, 2]) / K[0, 0] * distance, -(v - K[1, 2]) / K[1, 1] * distance
    return turns, torch.stack([x, y, -distance], 1)
