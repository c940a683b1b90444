"""A head as the camera of a crop sees it, and where that puts it before the video's own camera.

A network that sees only a crop cannot know where in the picture it was cut. So it speaks of a camera that looks
straight at the crop's middle, and of places and sizes in units of the crop; the box turns both into metres.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from facetalk.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle


def crop_intrinsics(
    K: Float[Tensor, "3 3"], boxes: Float[Tensor, "frames 3"], size: int
) -> Float[Tensor, "frames 3 3"]:
    """Intrinsics of the video's camera in the pixels of each frame's crop.

    Args:
        K: of the video, pixels.
        boxes: middle and side of the crop in the video, pixels.
        size: side of the crop as it was resized, pixels.
    """
    scale = size / boxes[:, 2]
    lens = K.to(boxes) * torch.stack([scale, scale, torch.ones_like(scale)], 1)[..., None]
    shift = torch.zeros_like(lens)
    shift[:, :2, 2] = (boxes[:, 2:] / 2 - boxes[:, :2]) * scale[:, None]
    return lens + shift


def looking_at(K: Float[Tensor, "3 3"], boxes: Float[Tensor, "frames 3"]) -> Float[Tensor, "frames 3 3"]:
    """Rotation that turns a camera from looking straight ahead to looking at the middle of each box."""
    x = (boxes[:, 0] - K[0, 2]) / K[0, 0]
    y = -(boxes[:, 1] - K[1, 2]) / K[1, 1]
    across = torch.stack([y, -x, torch.zeros_like(x)], 1)
    length = across.norm(dim=1, keepdim=True).clamp_min(1e-9)
    return axis_angle_to_matrix(across / length * torch.atan(length))


def into_crop(
    turns: Float[Tensor, "frames 3 3"],
    places: Float[Tensor, "frames 3"],
    K: Float[Tensor, "3 3"],
    boxes: Float[Tensor, "frames 3"],
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames 3"]]:
    """Rotation (axis-angle) and camera (s, x, y) of a head in its crop; `out_of_crop` takes them back.

    `s` is the length of a metre at the head in half crops, x and y are where its middle is seen, -1 to 1, y down.

    Args:
        turns: rotation of the head in the camera's frame.
        places: middle of the head in the camera's frame, metres.
        K: of the video.
        boxes: of the crops, pixels of the video.
    """
    seen = matrix_to_axis_angle(looking_at(K, boxes).transpose(1, 2) @ turns)
    distance, half = -places[:, 2], boxes[:, 2] / 2
    u = K[0, 2] + K[0, 0] * places[:, 0] / distance
    v = K[1, 2] - K[1, 1] * places[:, 1] / distance
    return seen, torch.stack([K[0, 0] / distance / half, (u - boxes[:, 0]) / half, (v - boxes[:, 1]) / half], 1)


def out_of_crop(
    rotation: Float[Tensor, "frames 3"],
    camera: Float[Tensor, "frames 3"],
    K: Float[Tensor, "3 3"],
    boxes: Float[Tensor, "frames 3"],
) -> tuple[Float[Tensor, "frames 3 3"], Float[Tensor, "frames 3"]]:
    """Rotation matrix and middle of a head before the video's camera, metres; see `into_crop`."""
    turns = looking_at(K, boxes) @ axis_angle_to_matrix(rotation)
    half = boxes[:, 2] / 2
    distance = K[0, 0] / (camera[:, 0].clamp_min(1e-3) * half)
    u, v = boxes[:, 0] + camera[:, 1] * half, boxes[:, 1] + camera[:, 2] * half
    x, y = (u - K[0, 2]) / K[0, 0] * distance, -(v - K[1, 2]) / K[1, 1] * distance
    return turns, torch.stack([x, y, -distance], 1)
